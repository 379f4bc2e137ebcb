// The person whom an order waits for: who says go on, deletes the key in the provider's console, says that they did and did not, or does nothing as
// long as the faults last. When those are over they do what is asked, and look again after a while.
import { command } from './database.ts';
import { endKey } from './provider.ts';
import { count, isAccepted, later, NEVER, note, type Order, violate, type World } from './world.ts';

/** An order that is resumed so often without a fault, and ends no more than before, is stuck. */
const RESUMES_MAX = 8;

/** Asks a person about every order that stands still. */
export function notice(world: World, resumed: () => void): void {
  for (const order of world.orders) {
    const { end } = order.row.state;
    if (end === null || end === 'proven' || order.isAsked || isGivenUp(world, order)) continue;
    order.isAsked = true;
    later(world, patience(world), () => {
      order.isAsked = false;
      come(world, order, resumed);
    });
  }
}

/** Whether nothing can be proven any more: the reason says so, and the person has tried. */
export function isGivenUp(world: World, order: Order): boolean {
  return !world.plan.hasControl && !world.hasFaults && order.resumes > 1;
}

/** Who comes when the faults are over waits until what was deleted has gone everywhere. */
function patience(world: World): number {
  const { personMs, nodesMs } = world.plan;
  return world.hasFaults ? personMs : personMs + Math.max(...nodesMs);
}

function come(world: World, order: Order, resumed: () => void): void {
  const { plan } = world;
  const { end } = order.row.state;
  if (end === null || end === 'proven') return;
  if (world.isDown) return;
  const { habit } = plan;
  if (world.hasFaults && habit === 'absent') return;
  if (!world.hasFaults && ++order.resumes > RESUMES_MAX) {
    violate(world, 'stuck', `it stands still after every resume: ${order.row.state.reason}`);
    return;
  }
  const deletes = !world.hasFaults || habit === 'by-hand';
  if (deletes && world.endedAt === NEVER) {
    count(world, 'a person deletes the key');
    endKey(world, 'by hand');
  }
  if (!command(world, order)) return;
  const what = deletes ? 'who has deleted the key' : 'who has not deleted the key';
  count(world, `a person resumes: one ${what}`);
  note(world, `a person resumes, one ${what}`);
  resumed();
}

/** Everything is over: nothing waits that could go on. */
export function checkEnd(world: World): void {
  const { plan, orders } = world;
  const wantsPerson = orders.filter(({ row }) => row.state.end !== 'proven');
  for (const { row } of orders) {
    const how = plan.hasId ? 'with an id' : 'without an id';
    count(world, `ended ${row.state.end ?? 'nowhere'} (${how})`);
    if (row.state.end === null) violate(world, 'end', 'nothing will happen any more, and the order has not ended');
  }
  if (plan.hasControl && wantsPerson.length > 0) violate(world, 'end', 'the death could be proven, and is not');
  if (plan.hasControl && plan.spread !== 'beyond' && world.resurrectedAt < 0 && isAccepted(world, null))
    violate(world, 'undead', 'all is over, and the key is accepted');
  if (plan.isClean && plan.hasId && orders.some((order) => order.resumes > 0))
    violate(world, 'end', 'nothing went wrong, and a person was asked');
}
