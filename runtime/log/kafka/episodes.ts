/** Brokers that cannot be used: a line when that begins (one a minute for what an operator must mend), one when it ends, a metric. */
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import type { Failure } from './failures.ts';

interface Episode {
  readonly sinceMs: number;
  lastMs: number;
  toldMs: number;
}

export interface Episodes {
  failed(broker: string, failure: Failure): void;
  /** A connection that had served was closed, as brokers do with idle and expired ones: counted; the next one will tell. */
  closed(failure: Failure): void;
  answered(broker: string): void;
  /** It failed, and has not answered well since. */
  open(broker: string): boolean;
  /** This broker is no longer one of the cluster. */
  forget(broker: string): void;
  stop(): void;
}

/** An answer so soon after a failure does not end the episode: several connections meet one fault at different times. */
const SETTLED_MS = 1_000;
const REFUSED_AGAIN_MS = 60_000;

export function createEpisodes(deps: {
  readonly logger: Logger | undefined;
  readonly metrics: Metrics | undefined;
  readonly now: () => number;
}): Episodes {
  const { logger, now } = deps;
  const episodes = new Map<string, Episode>();
  const errors = deps.metrics?.counter('log_kafka_errors_total', 'Connections and requests to Kafka that failed');
  const hide = deps.metrics?.gauge(
    'log_kafka_unreachable_brokers',
    'Kafka brokers that cannot be used at present',
    () => episodes.size,
  );
  return {
    failed(broker, { reason, what, refused }) {
      errors?.add(1, { what });
      const nowMs = now();
      const episode = episodes.get(broker);
      if (episode) {
        episode.lastMs = nowMs;
        if (!refused || nowMs - episode.toldMs < REFUSED_AGAIN_MS) return;
        episode.toldMs = nowMs;
      } else episodes.set(broker, { sinceMs: nowMs, lastMs: nowMs, toldMs: nowMs });
      // what only an operator can mend is said at a level that somebody looks at, and not once only
      if (refused) logger?.error({ broker, reason }, 'Kafka broker does not take us; trying again until it does');
      else logger?.warn({ broker, reason }, 'Kafka broker cannot be used; trying again until it answers');
    },
    closed({ what }) {
      errors?.add(1, { what });
    },
    answered(broker) {
      if (episodes.size === 0) return;
      const episode = episodes.get(broker);
      if (!episode || now() - episode.lastMs < SETTLED_MS) return;
      episodes.delete(broker);
      logger?.info({ broker, downMs: Math.round(now() - episode.sinceMs) }, 'Kafka broker answers again');
    },
    open: (broker) => episodes.has(broker),
    forget: (broker) => void episodes.delete(broker),
    stop: () => hide?.(),
  };
}
