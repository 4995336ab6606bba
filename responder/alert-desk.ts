/**
 * What people are told, and where: alerts made of what the keeper says, kept as rows, handed to the outbox; operators' words that
 * destinations can show; dead letters once more.
 */
import type { Logger } from '../runtime/telemetry/logger.ts';
import type { Metrics } from '../runtime/telemetry/metrics.ts';
import type { BudgetState } from '../schemas/alerts/budget.ts';
import type { DayDigest } from '../schemas/alerts/digest.ts';
import type { Alert, Delivery, Incident, IncidentWord } from '../schemas/alerts/incident.ts';
import type { AlertsConfig } from '../schemas/config/alerts.ts';
import type { AlertReplay } from '../schemas/log/alert-replay.ts';
import { createAcknowledgement, createAlert } from './alerts/body.ts';
import { createDestinations } from './alerts/destination.ts';
import { createDigestAlert } from './alerts/digest-body.ts';
import { createOutbox, type Outbox } from './alerts/outbox.ts';
import { createWords } from './alerts/words.ts';
import type { KeeperSink } from './incidents/lifecycle.ts';
import type { WaitingRows } from './rows.ts';

export interface AlertDeskDeps {
  readonly rows: Pick<WaitingRows, 'alert' | 'delivery'>;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly random: () => number;
  /** Takes secrets out of a text. */
  look?(text: string): string;
}

export interface AlertDesk {
  /** Opens the outbox with what earlier runs left of the last `recentDays`. */
  open(recent: readonly { readonly alert: Alert; readonly delivery: Delivery }[]): void;
  /** Attempts under way may end within `deadlineMs`; what waits is left to the next owner. */
  close(deadlineMs: number): Promise<void>;
  readonly tell: KeeperSink['alert'];
  /** It became part of another: those who hold it open hear its end. It grew: those whom it concerns now hear of it. */
  changed(incident: Incident): void;
  /** Somebody looks at an incident. */
  word(word: IncidentWord): void;
  replay(replay: AlertReplay): void;
  /** To those destinations that want it; null = nobody does. */
  readonly digest: { readonly afterMs: number; tell(day: DayDigest, budget: BudgetState, atMs: number): void } | null;
  pending(): number;
  readonly lastAlertMs: number;
}

const DAY_MS = 86_400_000;
const MAX_ANNOUNCED = 100_000;

/** Deliveries read back at a start: of all that may still be tried, and of replays of older ones. */
export const recentDays = ({ giveUpAfterMs }: Pick<AlertsConfig, 'giveUpAfterMs'>): number =>
  Math.ceil(giveUpAfterMs / DAY_MS) + 2;

export function createAlertDesk(config: AlertsConfig & { readonly database: string }, deps: AlertDeskDeps): AlertDesk {
  const { rows, logger, metrics, now } = deps;
  const alertsMade = metrics.counter('responder_alerts_total', 'Alerts made, by event and class');
  const attempts = metrics.counter('responder_delivery_attempts_total', 'Attempts to deliver an alert, by result');
  const { look } = deps;
  const context = { traceLink: config.traceLink, database: config.database, ...(look && { look }) };
  const words = createWords(look);
  const destinations = createDestinations(config, { now });
  let outbox: Outbox | undefined;
  /** Incidents of which an alert was made: members of a storm are not told of one by one, whatever becomes of them. */
  const announced = new Set<string>();
  let lastAlertMs = 0;

  function announce(incidentId: string): void {
    announced.delete(incidentId);
    announced.add(incidentId);
    if (announced.size > MAX_ANNOUNCED) announced.delete(announced.values().next().value!);
  }

  function newOutbox(): Outbox {
    const { giveUpAfterMs, maxInFlight } = config;
    const knownSinceMs = now() - recentDays(config) * DAY_MS;
    return createOutbox({ giveUpAfterMs, maxInFlight, knownSinceMs }, destinations, {
      now,
      random: deps.random,
      record(delivery) {
        rows.delivery(delivery);
        if (delivery.state === 'pending') return;
        attempts.add(1, { destination: delivery.destination, result: delivery.state });
        if (delivery.state === 'failed') logger.warn({ ...delivery }, 'delivery failed, will be tried again');
      },
      onDead(alert, destination, error) {
        logger.error(
          { alert: alert.id, incident: alert.incidentId, destination, error },
          'alert given up: dead letter',
        );
      },
    });
  }

  return {
    open(recent) {
      outbox = newOutbox();
      const nowhere = new Set<string>();
      for (const { alert, delivery } of recent) {
        announce(alert.incidentId);
        const waits = delivery.state === 'pending' || delivery.state === 'failed';
        if (!outbox.restore(alert, delivery) && waits) nowhere.add(delivery.destination);
      }
      if (nowhere.size > 0)
        logger.warn(
          { destinations: [...nowhere] },
          'alerts wait for destinations that are not configured any more: they are sent when one of that name is again',
        );
    },
    async close(deadlineMs) {
      const closing = outbox;
      if (deadlineMs === 0) outbox = undefined;
      await closing?.stop(deadlineMs);
    },
    tell(event, incident, sequence, atMs, members) {
      const alert = createAlert(event, incident, sequence, members, atMs, context);
      const isNew = outbox?.add(alert, members.length > 0 ? members : [incident]) ?? false;
      if (event === 'closed' && !isNew) return; // nobody wants to hear of it
      rows.alert(alert);
      if (event !== 'closed') announce(incident.id);
      lastAlertMs = now();
      alertsMade.add(1, { event, class: incident.class });
      logger.info(
        {
          incident: incident.id,
          event,
          class: incident.class,
          kind: incident.kind,
          title: words.title(incident.title),
        },
        'alert',
      );
    },
    changed(incident) {
      if (incident.state === 'merged') {
        const alert = createAlert('closed', incident, `${incident.occurrences}:merged`, [], incident.closedMs, context);
        if (outbox?.add(alert, [incident]) === true) rows.alert(alert);
      } else if (incident.state === 'open' && announced.has(incident.id)) {
        const atMs = Math.max(incident.openedMs, incident.endMs);
        const make = (name: string): Alert =>
          createAlert('updated', incident, `${incident.occurrences}:to:${name}`, [], atMs, context);
        for (const alert of outbox?.catchUp(incident, make) ?? []) rows.alert(alert);
      }
    },
    word(word) {
      if (word.action !== 'acknowledge' || word.result !== 'taken') return;
      const alert = createAcknowledgement(word, context);
      if (outbox?.add(alert, []) === true) rows.alert(alert);
    },
    replay({ alert, destination, revision, attempt, by }) {
      const taken = outbox?.replay(alert, { destination, revision, attempt }) ?? false;
      logger.info({ alert: alert.id, destination, by, taken }, 'a dead letter is to be sent again');
    },
    digest: config.destinations.some((destination) => 'digest' in destination && destination.digest)
      ? {
          afterMs: config.digestHour * 3_600_000,
          tell(day, budget, atMs) {
            const alert = createDigestAlert(day, budget, atMs, context);
            rows.alert(alert);
            outbox?.add(alert, []);
          },
        }
      : null,
    pending: () => outbox?.pending() ?? 0,
    get lastAlertMs() {
      return lastAlertMs;
    },
  };
}
