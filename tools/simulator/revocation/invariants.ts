// What must hold in every schedule of the revocation protocol, judged against what is true in the simulated world and not against what the protocol
// believes. docs/simulator.md says each in a sentence.
import { NEEDS_A_PERSON } from '../../../src/revocation/order.ts';
import type { RevocationRow } from '../../../src/revocation/revocation.ts';
import type { Transition } from './database.ts';
import { REFUSED_BESIDE_LIFE } from './provider.ts';
import { count, type Driver, hasIssuer, isAccepted, type Order, violate, type World } from './world.ts';

/** An order was written. */
export function checkOrder(world: World, order: Order): void {
  const { state } = order.row;
  if (!world.plan.hasId && (state.end !== 'blocked' || state.reason === null))
    violate(world, 'named', 'nobody here can revoke this key, and no person is asked to');
  checkRows(world);
}

/** A transition was written. `before`: the row that it replaces. */
export function checkCommit(world: World, order: Order, before: RevocationRow, transition: Transition): void {
  const { after, event } = transition;
  checkContinuity(world, before, transition);
  if (before.endedAt !== null) violate(world, 'forward', `${event.on} after the end`);
  gather(world, order, before, transition);
  if (event.on === 'resumed') {
    order.calls = 0;
    order.starts = 0;
  }
  if (after.end === 'proven') checkProof(world, order);
  else if (after.end !== null && before.state.end === null) checkNamed(world, order, transition);
  checkCertificate(world, order);
  checkRows(world);
}

function checkContinuity(world: World, { state }: RevocationRow, { before, event }: Transition): void {
  const isSame =
    before.step === state.step &&
    before.intent === state.intent &&
    before.revokes === state.revokes &&
    before.end === state.end &&
    before.death.refusals === state.death.refusals;
  if (!isSame) violate(world, 'journal', `${event.on} does not begin where the row stands`);
}

/** Keeps the probes behind the refusals that count, and looks at each of them as it is counted. */
function gather(world: World, order: Order, { state }: RevocationRow, { after, bracket }: Transition): void {
  const { refusals } = after.death;
  if (refusals < state.death.refusals) order.evidence = [];
  if (refusals <= state.death.refusals) return;
  if (bracket === null || refusals !== order.evidence.length + 1) {
    violate(world, 'counted', `${refusals} refusals after ${order.evidence.length}, without a probe each`);
    return;
  }
  order.evidence.push(bracket);
  if (bracket.target !== 'dead') violate(world, 'counted', `a reading that is ${bracket.target} counts as a refusal`);
  if (bracket.heard !== REFUSED_BESIDE_LIFE) violate(world, 'control', `a refusal counts after${bracket.heard}`);
}

/** What is said to be proven, is so. */
function checkProof(world: World, order: Order): void {
  const { plan, endedAt, resurrectedAt, acceptedAt, calledAt } = world;
  const { evidence } = order;
  const { refusals, spacingMs } = plan.policy;
  const first = evidence[0]?.at ?? world.now;
  if (evidence.length < refusals || refusals < 3)
    violate(world, 'proof', `${evidence.length} refusals prove a death, of ${refusals}`);
  if (spacingMs < plan.propagationMs) violate(world, 'proof', 'refusals stand closer than a deletion spreads');
  for (let i = 1; i < evidence.length; i++) {
    const apartMs = evidence[i]!.at - evidence[i - 1]!.at;
    if (apartMs < spacingMs) violate(world, 'proof', `two refusals stand ${apartMs} ms apart, of ${spacingMs}`);
  }
  if (acceptedAt >= first) violate(world, 'span', 'a proof spans an acceptance');
  if (calledAt >= first) violate(world, 'span', 'a proof spans a call of ours');
  // Whatever gave the key back while it was being proven dead is no word of the protocol's.
  if (resurrectedAt > first) {
    count(world, 'given back while it was proven');
    return;
  }
  const isAlive = isAccepted(world, null);
  if (isAlive && plan.spread === 'beyond') count(world, 'certified sooner than an endless deletion spreads');
  else if (isAlive) violate(world, 'undead', 'the provider accepts a key that is certified dead');
  for (let i = 1; i < evidence.length; i++)
    if (evidence[i]!.at < endedAt) violate(world, 'undead', 'a proof rests on two refusals of a living key');
}

/** An order that stands still waits for a person, for a reason that is so, and not too soon. */
function checkNamed(world: World, order: Order, transition: Transition): void {
  const { after, event, bracket, unknowns } = transition;
  const { policy } = world.plan;
  const wrong = (why: string): void => violate(world, 'named', `${after.end} because ${after.reason}: ${why}`);
  if (after.reason === null || after.reason === '') wrong('nobody is told why');
  if (after.end === 'blocked') {
    if (event.on === 'no-means') {
      if (hasIssuer(world)) wrong('there is something to call with');
      if (after.reason !== NEEDS_A_PERSON) wrong('nobody is told to do it by hand');
      return;
    }
    if (bracket?.target !== 'alive') wrong('nobody has seen it accepted');
    if (after.byHand === true) return;
    if (after.providerKeyId !== null && order.calls < policy.revokesMax) wrong(`${order.calls} calls were made`);
  } else if (event.on === 'probed' && unknowns < policy.failuresMax) wrong(`${unknowns} probes said nothing`);
}

/** The certificate shows the very refusals that count. */
function checkCertificate(world: World, { row, evidence }: Order): void {
  const { refusals } = row;
  const isSame = refusals.length === evidence.length && refusals.every((one, i) => one === evidence[i]!.record);
  if (!isSame) violate(world, 'certificate', `${refusals.length} refusals on record, ${evidence.length} that count`);
  if (row.state.end !== 'proven') return;
  if (row.endedAt === null || row.certificateId === null) violate(world, 'certificate', 'a proof without one');
  if (row.certificateId !== world.version.certificateId) violate(world, 'certificate', 'it is of another death');
}

/** One version, one open order, one certificate; and no way back. */
function checkRows(world: World): void {
  const { orders, version, certificates } = world;
  let open = 0;
  for (const { row } of orders) if (row.endedAt === null) open++;
  if (open > 1) violate(world, 'twice', `${open} orders about one version`);
  if (certificates.length > 1) violate(world, 'twice', 'one version has died twice');
  if (version.state === 'current') violate(world, 'forward', 'a version that was ordered to end is current');
  if (certificates.length > 0 && version.state !== 'revoked')
    violate(world, 'forward', 'a version is back from the dead');
}

/** A driver is about to call the provider to end the key. */
export function checkCall(world: World, driver: Driver): void {
  const { order } = driver;
  const { revokesMax } = world.plan.policy;
  if (!driver.isArmed) violate(world, 'intent', 'a call without a journaled intent');
  if (order.row.state.providerKeyId === null) violate(world, 'nameless', 'a call to end a key whose id is not known');
  driver.isArmed = false;
  order.calls++;
  // Each driver loses at most one call that it does not live to write down.
  if (order.calls > revokesMax + order.starts - 1)
    violate(world, 'brake', `call ${order.calls} of ${revokesMax}, by driver ${order.starts}`);
  checkPace(world, driver);
}

/** A driver is about to ask the provider anything. */
export function checkPace(world: World, driver: Driver): void {
  const { policy } = world.plan;
  if (world.now - driver.rebuffedAt < policy.retryMinMs) violate(world, 'pace', 'the provider is asked again at once');
  if (driver.unknowns >= policy.failuresMax)
    violate(world, 'brake', `${driver.unknowns} probes said nothing, and one more`);
}
