/** Who writes, as the brokers number it: together with a sequence number they know a repetition, and drop it. */
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { SpanwardenError } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import { KafkaError } from './failures.ts';

export interface ProducerId {
  readonly id: bigint;
  readonly epoch: number;
}

export interface ProducerIds {
  /** The present one; asked for when there is none. */
  current(): Promise<ProducerId>;
  /** Is not to be begun with any more; who writes under it already may go on. */
  retire(former: ProducerId | undefined): void;
}

/** Unused without transactions; brokers want a number. */
const TRANSACTION_TIMEOUT_MS = 60_000;

export function createProducerIds(config: KafkaConfig, cluster: Cluster): ProducerIds {
  let present: ProducerId | undefined;
  let asking: Promise<ProducerId> | undefined;

  async function ask(): Promise<ProducerId> {
    const { errorCode, producerId, producerEpoch } = await cluster.anywhere((connection, { initProducerIdV1 }) =>
      initProducerIdV1.api.async(connection, null, TRANSACTION_TIMEOUT_MS),
    );
    if (errorCode === KafkaError.clusterAuthorizationFailed)
      throw new SpanwardenError(
        'LOG_UNAVAILABLE',
        `Kafka does not let ${config.sasl.username || 'anonymous clients'} write: the ACL needs IdempotentWrite on the cluster`,
      );
    if (errorCode !== KafkaError.none)
      throw new SpanwardenError('LOG_UNAVAILABLE', `Kafka gives no producer id (error ${errorCode})`);
    present = { id: producerId, epoch: producerEpoch };
    return present;
  }

  return {
    async current() {
      if (present) return present;
      asking ??= ask().finally(() => {
        asking = undefined;
      });
      return asking;
    },
    retire(former) {
      if (former === present) present = undefined;
    },
  };
}
