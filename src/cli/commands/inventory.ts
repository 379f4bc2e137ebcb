// The standing inventory: what the providers list and we do not know, or know and they do not list.
import { idSegment } from '../api.ts';
import type { Command } from '../command.ts';
import { type Credential, credentialName, type Finding } from '../rows.ts';

const list: Command = {
  name: 'inventory list',
  about:
    'what the inventory found: dead keys that live again, keys in use that others changed, unregistered ones, orphans; exit code 1 where there is something',
  examples: [{ line: 'claviger inventory list', about: 'open findings' }],
  async run(context) {
    const api = await context.api();
    const { items } = await api.list<Finding>('/v1/inventory');
    const found = items.filter((finding) => finding.state === 'open');
    const isCritical = (finding: Finding) => finding.severity === 'critical';
    const open = [...found.filter(isCritical), ...found.filter((finding) => !isCritical(finding))];
    const isSomebodys = open.some((finding) => finding.credentialId !== null);
    const credentials = isSomebodys ? await api.list<Credential>('/v1/credentials') : { items: [] };
    const names = new Map(credentials.items.map((row) => [row.id, credentialName(row)]));
    const text = context.view.table(
      [
        { title: 'severity' },
        { title: 'kind' },
        { title: 'credential', least: 8 },
        { title: 'name at the provider', least: 16 },
        { title: 'provider key id', least: 8 },
        { title: 'last used', least: 20 },
        { title: 'first seen', least: 20 },
        { title: 'the provider’s log', least: 20 },
        { title: 'id' },
      ],
      open.map((finding) => [
        finding.severity,
        finding.kind,
        finding.credentialId === null ? '–' : (names.get(finding.credentialId) ?? finding.credentialId),
        finding.name,
        finding.providerKeyId,
        context.view.when(finding.lastUsedAt),
        context.view.when(finding.firstSeenAt),
        toldBy(finding.told, context.view.when),
        finding.id,
      ]),
      'Nothing was found.',
    );
    if (open.some((finding) => finding.kind === 'resurrected')) {
      context.note(
        'resurrected: the provider accepts a key that was certified dead. Look in its console, and end it there; each inventory asks for it again.',
      );
    }
    if (open.some((finding) => finding.kind === 'changed-outside')) {
      context.note(
        'changed-outside: somebody ended or replaced a key that is in use. Ask who it was; then rotate the credential, or revoke it where nobody knows.',
      );
    }
    return {
      data: { items },
      text,
      brief: open.map((finding) => finding.id).join('\n'),
      exit: open.length > 0 ? 1 : 0,
    };
  },
};

/** What the provider's own log says of a key: what was done, by whom, when. */
function toldBy(told: Finding['told'], when: (time: string) => string): string {
  return told === undefined ? '–' : `${told.event} by ${told.by ?? 'nobody known'}, ${when(told.at)}`;
}

interface Report {
  readonly [key: string]: unknown;
}

const run: Command = {
  name: 'inventory run',
  about: 'take the inventory now, of one issuer or of all',
  options: [{ flags: '--issuer <credential>', about: 'only with this credential' }],
  examples: [{ line: 'claviger inventory run', about: 'ask every provider what keys there are' }],
  async run(context, input) {
    const api = await context.api();
    const issuer = input.text('issuer');
    const body = issuer === null ? {} : { issuer: (await api.credential(issuer)).id };
    const { items } = await api.post<{ items: readonly Report[] }>('/v1/inventory', body);
    const blocks = items.map((report) =>
      context.view.fields(
        Object.entries(report).map(([key, value]) => [key, key === 'log' ? ofLog(value) : plain(value)]),
      ),
    );
    context.note('`claviger inventory list` shows the findings.');
    return { data: { items }, text: blocks.length === 0 ? 'No issuer can list its keys.' : blocks.join('\n\n') };
  },
};

function ofLog(log: unknown): string {
  if (typeof log !== 'object' || log === null) return '–';
  const { read, outside, problem } = log as Report;
  return `${plain(read)} read, ${plain(outside)} outside${problem === null ? '' : `; ${plain(problem)}`}`;
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(plain).join('\n');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value ?? '–');
}

const ignore: Command = {
  name: 'inventory ignore',
  about: 'close a finding that is in order as it is',
  arguments: [{ name: '<finding-id>', about: 'id of the finding: `claviger inventory list`' }],
  examples: [
    {
      line: 'claviger inventory ignore fnd_0198c1d2e3f4a5b6c7d8e9f0a1b2c3d4',
      about: 'a key that somebody else looks after',
    },
  ],
  async run(context, input) {
    const api = await context.api();
    const id = idSegment('finding', input.argument(0));
    const row = await api.post<Finding>(`/v1/inventory/findings/${id}/ignore`);
    return { data: row, text: `Ignored ${row.id}.`, brief: row.id };
  },
};

export const inventoryCommands: readonly Command[] = [list, run, ignore];
