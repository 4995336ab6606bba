/** What the brokers' ACLs keep from us: a line when that begins and each minute, one when it ends, a metric. */
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';

export type Operation = 'Describe' | 'Read';
export type Resource = 'topic' | 'group';

export interface Denials {
  denied(operation: Operation, resource: Resource, name: string): void;
  /** It was allowed: cheap when nothing is denied. */
  allowed(operation: Operation, resource: Resource, name: string): void;
}

const AGAIN_MS = 60_000;

export function createDenials(deps: {
  readonly user: string;
  readonly logger: Logger | undefined;
  readonly metrics: Metrics | undefined;
  readonly now: () => number;
}): Denials {
  const { logger, now } = deps;
  const user = deps.user || 'anonymous clients';
  const toldMs = new Map<string, number>();
  const errors = deps.metrics?.counter('log_kafka_errors_total', 'Connections and requests to Kafka that failed');
  const keyOf = (operation: Operation, resource: Resource, name: string) => `${operation} ${resource} ${name}`;
  return {
    denied(operation, resource, name) {
      errors?.add(1, { what: 'authorization' });
      const key = keyOf(operation, resource, name);
      const nowMs = now();
      const told = toldMs.get(key);
      if (told !== undefined && nowMs - told < AGAIN_MS) return;
      toldMs.set(key, nowMs);
      const reason = `an ACL has to allow ${operation} on ${resource} ${name} for ${user}`;
      logger?.error({ [resource]: name, reason }, 'Kafka does not let us read; trying again until it does');
    },
    allowed(operation, resource, name) {
      if (toldMs.size === 0 || !toldMs.delete(keyOf(operation, resource, name))) return;
      logger?.info({ [resource]: name, operation }, 'Kafka lets us read now');
    },
  };
}
