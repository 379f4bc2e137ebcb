// Cachet 2.4's operations as actions. Its keys have no scopes: each may do everything. Names follow the resources of its API v1.
// Follows the routes of cachethq/cachet, branch 2.4 (read 2026-11-21).
import type { Action } from './provider.ts';

type Verb = 'list' | 'create' | 'get' | 'update' | 'delete';

interface Resource {
  readonly name: string;
  readonly path: string;
  readonly parameter: string;
  readonly verbs: readonly Verb[];
}

const ALL: readonly Verb[] = ['list', 'create', 'get', 'update', 'delete'];

const RESOURCES: readonly Resource[] = [
  { name: 'component', path: '/components', parameter: 'component', verbs: ALL },
  { name: 'component-group', path: '/components/groups', parameter: 'component_group', verbs: ALL },
  { name: 'incident', path: '/incidents', parameter: 'incident', verbs: ALL },
  { name: 'incident-update', path: '/incidents/{incident}/updates', parameter: 'update', verbs: ALL },
  { name: 'incident-template', path: '/incidents/templates', parameter: 'incident_template', verbs: ['list', 'get'] },
  { name: 'metric', path: '/metrics', parameter: 'metric', verbs: ALL },
  {
    name: 'metric-point',
    path: '/metrics/{metric}/points',
    parameter: 'metric_point',
    verbs: ['list', 'create', 'update', 'delete'],
  },
  { name: 'schedule', path: '/schedules', parameter: 'schedule', verbs: ALL },
  { name: 'subscriber', path: '/subscribers', parameter: 'subscriber', verbs: ['list', 'create', 'delete'] },
  { name: 'subscription', path: '/subscriptions', parameter: 'subscription', verbs: ['delete'] },
];

function operationsOf({ name, path, parameter, verbs }: Resource): Action[] {
  const many = `/api/v1${path}`;
  const one = `${many}/{${parameter}}`;
  const operations: Readonly<Record<Verb, Action>> = {
    list: { name: `${name}.list`, method: 'GET', path: many, effect: 'read' },
    create: { name: `${name}.create`, method: 'POST', path: many, effect: 'write' },
    get: { name: `${name}.get`, method: 'GET', path: one, effect: 'read' },
    update: { name: `${name}.update`, method: 'PUT', path: one, effect: 'write' },
    delete: { name: `${name}.delete`, method: 'DELETE', path: one, effect: 'delete' },
  };
  return verbs.map((verb) => operations[verb]);
}

export const cachetV2Actions: readonly Action[] = [
  { name: 'ping.get', method: 'GET', path: '/api/v1/ping', effect: 'read' },
  { name: 'version.get', method: 'GET', path: '/api/v1/version', effect: 'read' },
  { name: 'status.get', method: 'GET', path: '/api/v1/status', effect: 'read' },
  ...RESOURCES.flatMap(operationsOf),
];
