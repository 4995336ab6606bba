/**
 * The alerts that wait for one destination, and their attempts: at most so many at once, each again until it is done or given up.
 * Those of one incident go one after another: an end that overtook its beginning would leave the incident open for ever.
 */
import type { Alert, Delivery } from '../../schemas/alerts/incident.ts';
import { type AttemptOutcome, waitAfter } from './retry.ts';

export interface QueueConfig {
  readonly giveUpAfterMs: number;
  readonly maxInFlight: number;
}

export interface QueueDeps {
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Calls back after `ms`; gives what takes that back. */
  readonly after: (ms: number, call: () => void) => () => void;
  /** Keeps that an alert is queued, and each attempt's result; may fail while ClickHouse is away, and then is called again. */
  readonly record: (delivery: Delivery) => void;
  readonly onDead: (alert: Alert, destination: string, error: string) => void;
}

interface Pending {
  readonly alert: Alert;
  /** When it was queued: giving up counts from here, or from when the alert was made if that is later. */
  readonly queuedMs: number;
  /** Order in which it came. */
  readonly number: number;
  attempt: number;
  revision: number;
  dueMs: number;
}

export interface Queue {
  /** False for one that it knows. */
  add(alert: Alert): boolean;
  /** What an earlier run left: queued again, or known as done. */
  restore(alert: Alert, delivery: Delivery): void;
  /** A dead letter of revision `of` once more; false when something newer is known of it. */
  replay(alert: Alert, of: Pick<Delivery, 'revision' | 'attempt'>): boolean;
  size(): number;
  /** Resolves when nothing is in flight any more; attempts under way are cut off at the deadline. */
  stop(deadlineMs: number): Promise<void>;
}

const MAX_REMEMBERED = 100_000;
/** Bodies are held in memory; what comes beyond is a dead letter, which ClickHouse holds and `alerts replay` sends. */
export const MAX_WAITING = 10_000;
const MAX_WAITING_CHARACTERS = 64 << 20;

export function createQueue(
  config: QueueConfig,
  destination: string,
  post: (alert: Alert, signal: AbortSignal) => Promise<AttemptOutcome>,
  deps: QueueDeps,
): Queue {
  const waiting: Pending[] = [];
  /** Of their bodies. */
  let characters = 0;
  let numbers = 0;
  /** Incidents of which an alert is under way. */
  const busy = new Set<string>();
  /** Newest revision by alert. */
  const known = new Map<string, number>();
  const inFlight = new Set<Promise<void>>();
  const abort = new AbortController();
  let cancel: (() => void) | undefined;
  let wakesMs = 0;
  let stopped = false;
  let disabled = false;

  /** The first of each incident's, unless one is under way; those of no incident each by itself. */
  function heads(): Pending[] {
    const first = new Map<string, Pending>();
    for (const one of waiting) {
      const key = one.alert.incidentId === '' ? one.alert.id : one.alert.incidentId;
      const before = first.get(key);
      if (!busy.has(key) && (before === undefined || one.number < before.number)) first.set(key, one);
    }
    return [...first.values()].sort((a, b) => a.dueMs - b.dueMs || a.number - b.number);
  }

  function schedule(): void {
    if (stopped || waiting.length === 0 || inFlight.size >= config.maxInFlight) return;
    const [next] = heads();
    if (next !== undefined) wakeAt(next.dueMs);
  }

  /** Looks at what is due then; the earliest of such times stands. */
  function wakeAt(dueMs: number): void {
    if (cancel !== undefined && wakesMs <= dueMs) return;
    cancel?.();
    wakesMs = dueMs;
    cancel = deps.after(Math.max(0, Math.min(dueMs - deps.now(), 2 ** 31 - 1)), pump);
  }

  function pump(): void {
    cancel = undefined;
    if (stopped) return;
    for (const due of heads()) {
      if (inFlight.size >= config.maxInFlight || due.dueMs > deps.now()) break;
      waiting.splice(waiting.indexOf(due), 1);
      characters -= due.alert.body.length;
      const { incidentId } = due.alert;
      if (incidentId !== '') busy.add(incidentId);
      const flight: Promise<void> = attempt(due).finally(() => {
        inFlight.delete(flight);
        busy.delete(incidentId);
        schedule();
      });
      inFlight.add(flight);
    }
    schedule();
  }

  async function attempt(pending: Pending): Promise<void> {
    pending.attempt++;
    const outcome: AttemptOutcome = disabled
      ? { kind: 'gone', httpStatus: 410, error: 'destination disabled by an earlier 410 Gone' }
      : await post(pending.alert, abort.signal);
    if (abort.signal.aborted && outcome.kind === 'failed') return; // cut off by stop: a later run tries again
    settle(pending, outcome);
  }

  function settle(pending: Pending, outcome: AttemptOutcome): void {
    const nowMs = deps.now();
    if (outcome.kind === 'gone') disabled = true;
    if (outcome.kind === 'delivered') record(pending, 'delivered', outcome.httpStatus, '', 0);
    else if (outcome.kind !== 'failed') giveUp(pending, outcome.httpStatus, outcome.error);
    else {
      const { httpStatus, error, retryAfterMs } = outcome;
      const endMs = Math.max(pending.queuedMs, pending.alert.createdMs) + config.giveUpAfterMs;
      // what the receiver asks for may put the last attempt off, never take it away
      const asked = Math.max(0, Math.min(retryAfterMs, endMs - nowMs));
      pending.dueMs = nowMs + waitAfter(pending.attempt, httpStatus, asked, deps.random());
      if (pending.dueMs > endMs) giveUp(pending, httpStatus, error);
      else {
        record(pending, 'failed', httpStatus, error, pending.dueMs);
        hold(pending);
      }
    }
  }

  function giveUp(pending: Pending, httpStatus: number, error: string): void {
    record(pending, 'dead', httpStatus, error, 0);
    deps.onDead(pending.alert, destination, error);
  }

  function record(
    pending: Pending,
    state: Delivery['state'],
    httpStatus: number,
    error: string,
    nextAttemptMs: number,
  ): void {
    remember(pending.alert.id, ++pending.revision);
    deps.record({
      alertId: pending.alert.id,
      destination,
      revision: pending.revision,
      attempt: pending.attempt,
      state,
      httpStatus,
      error,
      nextAttemptMs,
      updatedMs: deps.now(),
      queuedMs: pending.queuedMs,
    });
  }

  function remember(alertId: string, revision: number): void {
    known.delete(alertId);
    known.set(alertId, revision);
    if (known.size > MAX_REMEMBERED) known.delete(known.keys().next().value!);
  }

  function hold(pending: Pending): void {
    waiting.push(pending);
    characters += pending.alert.body.length;
  }

  function queue(alert: Alert, attempt: number, revision: number): void {
    const nowMs = deps.now();
    const pending: Pending = { alert, queuedMs: nowMs, number: numbers++, attempt, revision, dueMs: nowMs };
    if (waiting.length >= MAX_WAITING || characters + alert.body.length > MAX_WAITING_CHARACTERS) {
      giveUp(pending, 0, `${waiting.length.toLocaleString('en-US')} alerts wait already`);
      return;
    }
    record(pending, 'pending', 0, '', nowMs);
    hold(pending);
    if (inFlight.size < config.maxInFlight) wakeAt(nowMs);
  }

  return {
    add(alert) {
      if (stopped || known.has(alert.id)) return false;
      queue(alert, 0, -1);
      return true;
    },
    restore(alert, { state, attempt, revision, nextAttemptMs, queuedMs }) {
      if (known.has(alert.id)) return;
      remember(alert.id, revision);
      if (state !== 'pending' && state !== 'failed') return;
      const began = { alert, queuedMs: queuedMs ?? alert.createdMs, number: numbers++ };
      hold({ ...began, attempt, revision, dueMs: nextAttemptMs });
      schedule();
    },
    replay(alert, of) {
      if (stopped || (known.get(alert.id) ?? -1) > of.revision) return false;
      disabled = false; // who asks for it says that there is somebody again
      queue(alert, of.attempt, of.revision);
      return true;
    },
    size: () => waiting.length + inFlight.size,
    async stop(deadlineMs) {
      stopped = true;
      cancel?.();
      const cut = setTimeout(() => abort.abort(), deadlineMs);
      await Promise.all(inFlight);
      clearTimeout(cut);
    },
  };
}
