/** What is added to an actor kept in full: names, traces, reasons and findings, each within its bounds. */

import { setBit } from '../bits.ts';
import { operationText, reasonText, serviceText, withClient, withName } from './actor-texts.ts';
import type { FullActor, Reason } from './full-actor.ts';
import { MOST_COUNTED, MOST_REASONS, MOST_TRACES, Sets, TRACE_WORDS, W } from './full-row.ts';
import { writeId } from './ids.ts';

export function addUser(actor: FullActor, user: string): void {
  const list = withName(actor.userList, user);
  if (list !== null) actor.setNames('userList', list);
}

export function addAccount(actor: FullActor, account: string): void {
  const list = withName(actor.accountList, account);
  if (list !== null) actor.setNames('accountList', list);
}

export function addClient(actor: FullActor, address: string, hash: number): void {
  if (!setBit(actor.sets, Sets.clients, 4, hash)) return;
  const list = withClient(actor.clientList, address);
  if (list !== null) actor.setNames('clientList', list);
}

const id = new Uint32Array(TRACE_WORDS);

export function addTrace({ sets }: FullActor, traceId: string): void {
  writeId(id, 0, TRACE_WORDS, traceId);
  const count = sets[W.traceCount]!;
  if ((id[0]! | id[1]! | id[2]! | id[3]!) === 0) return;
  for (let i = count - 1; i >= 0; i--) {
    const at = W.traces + i * TRACE_WORDS;
    if (sets[at] === id[0] && sets[at + 1] === id[1] && sets[at + 2] === id[2] && sets[at + 3] === id[3]) return;
  }
  let place = count;
  if (count >= MOST_TRACES) {
    // the first half stays as it was: how it began
    const from = W.traces + (MOST_TRACES / 2) * TRACE_WORDS;
    sets.copyWithin(from, from + TRACE_WORDS, W.traces + MOST_TRACES * TRACE_WORDS);
    place = MOST_TRACES - 1;
  }
  sets.set(id, W.traces + place * TRACE_WORDS);
  sets[W.traceCount] = place + 1;
}

export function vote(actor: FullActor, service: string, operation: string): void {
  if (actor.votes === 0) {
    actor.service = serviceText(service);
    actor.operation = operationText(operation);
    actor.votes = 1;
  } else actor.votes += actor.operation === operation && actor.service === service ? 1 : -1;
}

/** One more of a reason; of more than there is room for, the least go. */
export function addReason(actor: FullActor, reason: string, points: number): void {
  const text = reasonText(reason);
  const reasons = actor.reasons;
  const known = reasons.find((one) => one.text === text);
  if (known !== undefined) {
    known.count++;
    known.points += points;
    actor.setReasons(reasons);
    return;
  }
  if (reasons.length >= MOST_REASONS) forgetLeast(reasons);
  while (!actor.setReasons([...reasons, { text, points, count: 1 }]) && reasons.length > 0) forgetLeast(reasons);
}

function forgetLeast(reasons: Reason[]): void {
  reasons.sort((a, b) => b.points - a.points);
  reasons.pop();
}

/** False when this finding, by its hash, was counted before; of more than are remembered the oldest is forgotten. */
export function countsFinding({ sets }: FullActor, hash: number): boolean {
  const counted = sets.subarray(W.counted, W.counted + MOST_COUNTED);
  const count = sets[W.countedCount]!;
  for (let i = 0; i < Math.min(count, MOST_COUNTED); i++) if (counted[i] === hash) return false;
  counted[count % MOST_COUNTED] = hash;
  sets[W.countedCount] = count + 1;
  return true;
}
