// The list of grants over HTTP: what is in force alone, or with what was revoked, page by page, and for one principal among many.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type House, startHouse } from '../../test/support/house.ts';
import { grantRow } from '../../test/support/rows.ts';
import type { RowImage } from '../model/change.ts';

let house: House;
before(async () => {
  house = await startHouse({ providers: { neon: 'http://127.0.0.1:9' } });
});
after(async () => {
  assert.deepEqual(house.errors, []);
  await house.stop();
});

const id = (prefix: string, n: number) => `${prefix}_${n.toString(16).padStart(32, '0')}`;
const [MANY, FEW] = [id('prn', 1), id('prn', 2)];
const [CREDENTIAL, OTHER] = [id('crd', 1), id('crd', 2)];

interface Page {
  readonly items: readonly { readonly id: string; readonly principalId: string; readonly revokedAt: string | null }[];
  readonly next: string | null;
}

async function page(query: string): Promise<Page> {
  const answer = await house.request('GET', `/v1/grants?${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.json as Page;
}

async function whole(query: string): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor = '';
  for (let pages = 1; ; pages++) {
    const { items, next } = await page(`${query}${cursor}`);
    ids.push(...items.map((item) => item.id));
    if (next === null) return { ids, pages };
    cursor = `&cursor=${next}`;
  }
}

/** Writes grants as a log would have left them: every third is in force, every fiftieth is the other principal's. */
async function furnish(count: number): Promise<{ id: string; isLive: boolean; isFew: boolean; isOther: boolean }[]> {
  const made = Array.from({ length: count }, (_, n) => ({
    id: id('gnt', n + 1),
    isLive: n % 3 === 0,
    isFew: n % 50 === 49,
    isOther: n % 7 === 0,
  }));
  const images = made.map((one): RowImage => {
    const row = grantRow({
      id: one.id,
      principalId: one.isFew ? FEW : MANY,
      credentialId: one.isOther ? OTHER : CREDENTIAL,
      revokedAt: one.isLive ? null : house.app.clock.now(),
    });
    return { noun: 'grant', row };
  });
  for (let from = 0; from < images.length; from += 50) {
    const rows = images.slice(from, from + 50);
    const at = house.app.clock.now();
    await house.app.write({ events: [{ v: 1, at, actor: 'system:test', type: 'test.given', rows, detail: {} }] });
  }
  return made;
}

test('revoked grants are listed where they are asked for, each with its end, in pages that miss nothing', async () => {
  const made = await furnish(450);
  const idsOf = (keep: (one: (typeof made)[number]) => boolean) => made.filter(keep).map((one) => one.id);
  assert.deepEqual(
    (await whole('limit=200')).ids,
    idsOf((one) => one.isLive),
    'what is in force, unless asked otherwise',
  );
  assert.deepEqual(
    (await whole('limit=200&revoked=false')).ids,
    idsOf((one) => one.isLive),
  );
  const all = await whole('limit=200&revoked=true');
  assert.deepEqual(all, { ids: idsOf(() => true), pages: 3 });
  assert.deepEqual(
    (await whole(`limit=7&revoked=true&credential=${OTHER}`)).ids,
    idsOf((one) => one.isOther),
  );
  const few = await whole(`limit=2&revoked=true&principal=${FEW}`);
  assert.deepEqual(
    few.ids,
    idsOf((one) => one.isFew),
    'a principal with few grants among many',
  );
  assert.ok(few.pages <= 6);
  const { items } = await page(`revoked=true&principal=${FEW}`);
  for (const item of items) {
    assert.equal(item.revokedAt !== null, !made.find((one) => one.id === item.id)!.isLive);
  }
  assert.equal((await house.request('GET', '/v1/grants?revoked=yes')).status, 400);
});
