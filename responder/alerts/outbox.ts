/**
 * The outbox: every alert reaches every destination that wants it, at least once, under one `webhook-id`. Each destination
 * has a queue of its own, so none delays another. Attempts are recorded; what was undelivered is read back at start.
 */
import type { Alert, Delivery, Incident } from '../../schemas/alerts/incident.ts';
import { createQueue, type Queue, type QueueConfig, type QueueDeps } from './queue.ts';
import type { AttemptOutcome } from './retry.ts';

export interface OutboxDestination {
  readonly name: string;
  /** Whether it wants to hear of this incident. */
  wants(incident: Incident): boolean;
  /** Whether it may want to hear of one that it does not want to hear of yet. */
  readonly mayWantLater: boolean;
  /** Whether it also gets the digest of each day, the end of incidents it was told of, and that somebody looks at them. */
  readonly digest: boolean;
  readonly resolve: boolean;
  readonly acknowledge: boolean;
  /** Whether it takes each member of a storm for told: others show a storm as one thing. */
  readonly hearsOfMembers: boolean;
  post(alert: Alert, signal: AbortSignal): Promise<AttemptOutcome>;
}

export type OutboxConfig = QueueConfig & {
  /** Deliveries of before this were not read back: who was told then is not known. */
  readonly knownSinceMs?: number;
};
export type OutboxDeps = Omit<QueueDeps, 'after'> & Partial<Pick<QueueDeps, 'after'>>;

export interface Outbox {
  /**
   * Queues an alert about these incidents (none: a digest) where it is wanted; one already queued or delivered is left alone. Whether
   * it is new to anybody.
   */
  add(alert: Alert, about: readonly Incident[]): boolean;
  /** Tells those who want to hear of an incident now and did not before; gives what is new. */
  catchUp(incident: Incident, make: (destination: string) => Alert): Alert[];
  /** Takes back what an earlier run left: undelivered, or known as done and not sent again. False: there is no such destination. */
  restore(alert: Alert, delivery: Delivery): boolean;
  /** A dead letter once more, under its id; false when something newer is known of it, or no such destination. */
  replay(alert: Alert, of: Pick<Delivery, 'destination' | 'revision' | 'attempt'>): boolean;
  /** Resolves when nothing is due or in flight any more, or when the deadline is over. */
  stop(deadlineMs: number): Promise<void>;
  pending(): number;
}

interface Place {
  readonly destination: OutboxDestination;
  readonly queue: Queue;
  /** Incidents it was told of. */
  readonly told: Set<string>;
}

const MAX_TOLD = 100_000;

export function createOutbox(
  config: OutboxConfig,
  destinations: readonly OutboxDestination[],
  deps: OutboxDeps,
): Outbox {
  const places = new Map<string, Place>();
  for (const destination of destinations) {
    const queue = createQueue(config, destination.name, (alert, signal) => destination.post(alert, signal), {
      after: byTimer,
      ...deps,
    });
    places.set(destination.name, { destination, queue, told: new Set() });
  }

  function wanted({ destination, told }: Place, { type, incidentId }: Alert, about: readonly Incident[]): boolean {
    if (type === 'digest') return destination.digest;
    const known = told.has(incidentId);
    if (type === 'incident.acknowledged') return destination.acknowledge && known;
    if (type === 'incident.closed') {
      // of one told of so long ago that it is not known any more, say so all the same
      const before = (one: Incident): boolean => one.state !== 'merged' && one.openedMs < (config.knownSinceMs ?? 0);
      return destination.resolve && (known || about.some((one) => before(one) && destination.wants(one)));
    }
    return known || about.some((one) => destination.wants(one));
  }

  return {
    add(alert, about) {
      let isNew = false;
      for (const place of places.values()) {
        if (!wanted(place, alert, about)) continue;
        if (alert.incidentId !== '') note(place.told, alert.incidentId);
        if (place.destination.hearsOfMembers) for (const { id } of about) note(place.told, id);
        if (place.queue.add(alert)) isNew = true;
      }
      return isNew;
    },
    catchUp(incident, make) {
      const made: Alert[] = [];
      for (const { destination, told, queue } of places.values()) {
        if (!destination.mayWantLater || told.has(incident.id) || !destination.wants(incident)) continue;
        note(told, incident.id);
        const alert = make(destination.name);
        if (queue.add(alert)) made.push(alert);
      }
      return made;
    },
    restore(alert, delivery) {
      const place = places.get(delivery.destination);
      if (place === undefined) return false;
      if (alert.incidentId !== '') note(place.told, alert.incidentId);
      place.queue.restore(alert, delivery);
      return true;
    },
    replay: (alert, of) => places.get(of.destination)?.queue.replay(alert, of) ?? false,
    pending: () => [...places.values()].reduce((sum, { queue }) => sum + queue.size(), 0),
    async stop(deadlineMs) {
      await Promise.all([...places.values()].map(({ queue }) => queue.stop(deadlineMs)));
    },
  };
}

function note(told: Set<string>, incidentId: string): void {
  told.delete(incidentId);
  told.add(incidentId);
  if (told.size > MAX_TOLD) told.delete(told.values().next().value!);
}

function byTimer(ms: number, call: () => void): () => void {
  const timer = setTimeout(call, ms);
  return () => clearTimeout(timer);
}
