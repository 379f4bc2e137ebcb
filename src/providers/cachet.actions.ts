// Cachet 3's operations as actions, each with the ability that a token needs for it; reads need none. Names follow the resources of its
// REST API. Follows the routes of cachethq/core, 3.x (read 2026-11-21). Its MCP endpoint (`/mcp`) is deliberately no action: one path that
// does whatever the token may.
import type { Action } from './provider.ts';

interface Resource {
  readonly name: string;
  readonly path: string;
  /** Name of the path's last parameter. */
  readonly parameter: string;
  /** What its two abilities begin with. */
  readonly ability: string;
}

const RESOURCES: readonly Resource[] = [
  { name: 'component', path: '/components', parameter: 'component', ability: 'components' },
  { name: 'component-group', path: '/component-groups', parameter: 'component_group', ability: 'component-groups' },
  { name: 'incident', path: '/incidents', parameter: 'incident', ability: 'incidents' },
  { name: 'incident-update', path: '/incidents/{incident}/updates', parameter: 'update', ability: 'incident-updates' },
  {
    name: 'incident-template',
    path: '/incident-templates',
    parameter: 'incident_template',
    ability: 'incident-templates',
  },
  { name: 'metric', path: '/metrics', parameter: 'metric', ability: 'metrics' },
  { name: 'metric-point', path: '/metrics/{metric}/points', parameter: 'metricPoint', ability: 'metric-points' },
  { name: 'schedule', path: '/schedules', parameter: 'schedule', ability: 'schedules' },
  { name: 'schedule-update', path: '/schedules/{schedule}/updates', parameter: 'update', ability: 'schedule-updates' },
  { name: 'subscriber', path: '/subscribers', parameter: 'subscriber', ability: 'subscribers' },
];

function operationsOf({ name, path, parameter, ability }: Resource): Action[] {
  const many = `/api${path}`;
  const one = `${many}/{${parameter}}`;
  const manage = { effect: 'write', scopes: [`${ability}.manage`] } as const;
  // Who subscribes is nobody's business: the only reads that ask for an ability.
  const read = { effect: 'read', scopes: name === 'subscriber' ? ['subscribers.manage'] : [] } as const;
  const operations: Action[] = [
    { name: `${name}.list`, method: 'GET', path: many, ...read },
    { name: `${name}.create`, method: 'POST', path: many, ...manage },
    { name: `${name}.get`, method: 'GET', path: one, ...read },
    { name: `${name}.update`, method: 'PUT', path: one, ...manage },
    { name: `${name}.delete`, method: 'DELETE', path: one, effect: 'delete', scopes: [`${ability}.delete`] },
  ];
  // A point of a metric cannot be changed.
  return operations.filter((operation) => operation.name !== 'metric-point.update');
}

export const cachetActions: readonly Action[] = [
  { name: 'ping.get', method: 'GET', path: '/api/ping', effect: 'read', scopes: [] },
  { name: 'version.get', method: 'GET', path: '/api/version', effect: 'read', scopes: [] },
  { name: 'status.get', method: 'GET', path: '/api/status', effect: 'read', scopes: [] },
  ...RESOURCES.flatMap(operationsOf),
];

/** What a token that may do everything has; and what Cachet gives where a person chooses nothing. */
export const CACHET_EVERYTHING = '*';

export const cachetAbilities: readonly string[] = [
  ...RESOURCES.flatMap(({ ability }) => [`${ability}.manage`, `${ability}.delete`]),
  CACHET_EVERYTHING,
];
