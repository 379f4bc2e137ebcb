// docs/api.md says what the server does: its table is the server's routes, and its examples run, one after the other, in a fresh house.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { startHouse } from '../../test/support/house.ts';

const file = path.join(import.meta.dirname, '../../docs/api.md');
const page = readFileSync(file, 'utf8');

interface Operation {
  readonly summary: string;
  readonly 'x-claviger-permission': string;
}

function tableOf(document: object): string {
  const { paths } = document as { paths: Record<string, Record<string, Operation>> };
  const lines = Object.entries(paths).flatMap(([name, operations]) =>
    Object.entries(operations).map(([method, operation]) => {
      const permission = operation['x-claviger-permission'];
      const shown = permission === 'public' ? 'none' : permission.includes(':') ? `\`${permission}\`` : permission;
      return `| ${method.toUpperCase()} | \`${name}\` | ${shown} | ${operation.summary} |`;
    }),
  );
  return lines.join('\n');
}

interface Example {
  readonly method: string;
  readonly target: string;
  readonly body: object | null;
  readonly status: number;
  readonly answer: object;
}

function examplesOf(text: string): Example[] {
  return [...text.matchAll(/```http\n([\s\S]*?)```/g)].map(([, block = '']) => {
    const [asked = '', answered = ''] = block.split('\n\n');
    const [line = '', ...body] = asked.split('\n');
    const [status = '', ...answer] = answered.trim().split('\n');
    const [method = '', target = ''] = line.split(' ');
    return {
      method,
      target,
      body: body.length === 0 ? null : (JSON.parse(body.join('\n')) as object),
      status: Number(status),
      answer: JSON.parse(answer.join('\n')) as object,
    };
  });
}

/** Holds what was answered against what is shown: members that are shown must be there; `{name}` stands for a value met before, or now. */
function matches(shown: unknown, got: unknown, known: Map<string, string>, at: string): void {
  const name = typeof shown === 'string' ? /^\{(\w+)\}$/.exec(shown)?.[1] : undefined;
  if (name !== undefined) {
    assert.equal(typeof got, 'string', at);
    if (!known.has(name)) known.set(name, String(got));
    assert.equal(got, known.get(name), at);
  } else if (Array.isArray(shown)) {
    assert.ok(Array.isArray(got) && got.length === shown.length, at);
    for (const [i, item] of shown.entries()) matches(item, got[i], known, `${at}/${i}`);
  } else if (typeof shown === 'object' && shown !== null) {
    for (const [key, value] of Object.entries(shown)) {
      matches(value, (got as Record<string, unknown> | undefined)?.[key], known, `${at}/${key}`);
    }
  } else {
    assert.deepEqual(got, shown, at);
  }
}

test('the page lists the operations that the server has, and its examples run', async () => {
  const house = await startHouse({ providers: { neon: 'http://127.0.0.1:9' } });
  try {
    const table = tableOf(house.api.document);
    const shown = page.split('\n').filter((line) => /^\| [A-Z]+ \| `/.test(line));
    assert.deepEqual(shown, table.split('\n'), `docs/api.md lists other operations; the server has:\n${table}`);

    const examples = examplesOf(page);
    assert.ok(examples.length >= 7);
    const known = new Map<string, string>();
    const filled = (text: string) => text.replaceAll(/\{(\w+)\}/g, (whole, name: string) => known.get(name) ?? whole);
    for (const { method, target, body, status, answer } of examples) {
      const sent = body === null ? {} : { body: JSON.parse(filled(JSON.stringify(body))) as object };
      const got = await house.request(method, filled(target), sent);
      assert.equal(got.status, status, `${method} ${target}: ${got.text}`);
      matches(answer, got.json, known, `${method} ${target}`);
    }
    assert.deepEqual(house.errors, []);
  } finally {
    await house.stop();
  }
});
