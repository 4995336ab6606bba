/**
 * The outbox: every alert reaches every destination that wants it, at least once, under one `webhook-id`. Each destination
 * has a queue of its own, so none delays another. Attempts are recorded; what was undelivered is read back at start.
 */
import type { Alert, Delivery, IncidentClass } from '../../schemas/alerts/incident.ts';
import { type AttemptOutcome, waitAfter } from './retry.ts';

export interface OutboxDestination {
  readonly name: string;
  readonly classes: readonly IncidentClass[];
  /** Whether it also gets the digest of each day. */
  readonly digest?: boolean;
  post(alert: Alert, signal: AbortSignal): Promise<AttemptOutcome>;
}

export interface OutboxDeps {
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Keeps that an alert is queued, and each attempt's result; may fail while ClickHouse is away, and then is called again. */
  readonly record: (delivery: Delivery) => void;
  readonly onDead: (alert: Alert, destination: string, error: string) => void;
}

export interface OutboxConfig {
  readonly giveUpAfterMs: number;
  readonly maxInFlight: number;
}

interface Pending {
  readonly alert: Alert;
  attempt: number;
  dueMs: number;
}

export interface Outbox {
  /** Queues an alert; one already queued or delivered under the same id is left alone. */
  add(alert: Alert, about: IncidentClass | 'digest'): void;
  /** Takes back what an earlier run left undelivered. */
  restore(alert: Alert, delivery: Delivery): void;
  /** Deliveries known as done: their alerts are not sent again. */
  markDone(alertId: string, destination: string): void;
  /** Resolves when nothing is due or in flight any more, or when the deadline is over. */
  stop(deadlineMs: number): Promise<void>;
  pending(): number;
}

const MAX_REMEMBERED = 100_000;

export function createOutbox(
  config: OutboxConfig,
  destinations: readonly OutboxDestination[],
  deps: OutboxDeps,
): Outbox {
  const queues = new Map(destinations.map((destination) => [destination.name, createQueue(config, destination, deps)]));
  return {
    add(alert, about) {
      for (const { name, classes, digest } of destinations) {
        if (about === 'digest' ? digest !== true : !classes.includes(about)) continue;
        if (queues.get(name)!.add({ alert, attempt: 0, dueMs: deps.now() }))
          deps.record(pendingDelivery(alert, name, deps.now()));
      }
    },
    restore(alert, { destination, attempt, nextAttemptMs }) {
      queues.get(destination)?.add({ alert, attempt, dueMs: nextAttemptMs });
    },
    markDone: (alertId, destination) => queues.get(destination)?.markDone(alertId),
    pending: () => [...queues.values()].reduce((sum, queue) => sum + queue.size(), 0),
    async stop(deadlineMs) {
      await Promise.all([...queues.values()].map((queue) => queue.stop(deadlineMs)));
    },
  };
}

const pendingDelivery = (alert: Alert, destination: string, nowMs: number): Delivery => ({
  alertId: alert.id,
  destination,
  revision: 0,
  attempt: 0,
  state: 'pending',
  httpStatus: 0,
  error: '',
  nextAttemptMs: nowMs,
  updatedMs: nowMs,
});

interface Queue {
  /** False when it is stopped or knows the alert already. */
  add(pending: Pending): boolean;
  markDone(alertId: string): void;
  size(): number;
  stop(deadlineMs: number): Promise<void>;
}

function createQueue(config: OutboxConfig, destination: OutboxDestination, deps: OutboxDeps): Queue {
  const waiting: Pending[] = [];
  const known = new Set<string>();
  const inFlight = new Set<Promise<void>>();
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let disabled = false;

  function schedule(): void {
    clearTimeout(timer);
    if (stopped || waiting.length === 0 || inFlight.size >= config.maxInFlight) return;
    waiting.sort((a, b) => a.dueMs - b.dueMs);
    timer = setTimeout(pump, Math.max(0, Math.min(waiting[0]!.dueMs - deps.now(), 2 ** 31 - 1)));
  }

  function pump(): void {
    while (!stopped && inFlight.size < config.maxInFlight && (waiting[0]?.dueMs ?? Infinity) <= deps.now()) {
      const flight = attempt(waiting.shift()!).finally(() => {
        inFlight.delete(flight);
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
      : await destination.post(pending.alert, abort.signal);
    if (abort.signal.aborted && outcome.kind === 'failed') return; // cut off by stop: a later run tries again
    settle(pending, outcome);
  }

  function settle(pending: Pending, outcome: AttemptOutcome): void {
    const { alert } = pending;
    const nowMs = deps.now();
    const error = outcome.kind === 'delivered' ? '' : outcome.error;
    let state: Delivery['state'] = 'delivered';
    let nextAttemptMs = 0;
    if (outcome.kind === 'gone') {
      disabled = true;
      state = 'dead';
    } else if (outcome.kind === 'failed') {
      nextAttemptMs = nowMs + waitAfter(pending.attempt, outcome.httpStatus, outcome.retryAfterMs, deps.random());
      state = nextAttemptMs - alert.createdMs > config.giveUpAfterMs ? 'dead' : 'failed';
    }
    deps.record({
      alertId: alert.id,
      destination: destination.name,
      revision: pending.attempt,
      attempt: pending.attempt,
      state,
      httpStatus: outcome.httpStatus,
      error,
      nextAttemptMs,
      updatedMs: nowMs,
    });
    if (state === 'dead') deps.onDead(alert, destination.name, error);
    if (state === 'failed') waiting.push({ alert, attempt: pending.attempt, dueMs: nextAttemptMs });
  }

  function remember(alertId: string): boolean {
    if (known.has(alertId)) return false;
    known.add(alertId);
    if (known.size > MAX_REMEMBERED) known.delete(known.values().next().value!);
    return true;
  }

  return {
    add(pending) {
      if (stopped || !remember(pending.alert.id)) return false;
      waiting.push(pending);
      schedule();
      return true;
    },
    markDone: (alertId) => void remember(alertId),
    size: () => waiting.length + inFlight.size,
    async stop(deadlineMs) {
      stopped = true;
      clearTimeout(timer);
      const cut = setTimeout(() => abort.abort(), deadlineMs);
      await Promise.all(inFlight);
      clearTimeout(cut);
    },
  };
}
