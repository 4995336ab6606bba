/** All foreign topics of this collector: one reader each, on one forwarder. */
import type { Service } from '../../runtime/lifecycle/service.ts';
import type { ForeignTopics } from '../../runtime/log/foreign.ts';
import type { CollectorConfig } from '../../schemas/config/collector.ts';
import { createForwarder, type ForwardDeps } from './forward.ts';
import type { ForeignPlan } from './plan.ts';
import { createForeignReader } from './reader.ts';

export interface ForeignReadersDeps extends ForwardDeps {
  /** Stopped with the readers. */
  readonly foreign: ForeignTopics;
}

export function createForeignReaders(config: CollectorConfig, plan: ForeignPlan, deps: ForeignReadersDeps): Service {
  const { foreign, logger } = deps;
  const { group, topics } = plan;
  const { from } = config.kafka;
  const forwarder = createForwarder(config, deps);
  const readers = topics.map((topic) => createForeignReader({ topic, group, from }, { foreign, forwarder, logger }));
  return {
    name: 'foreign topics',
    async start() {
      await Promise.all(readers.map((reader) => reader.start()));
      logger.info({ topics, group }, 'reading foreign topics');
    },
    async stop(deadlineMs) {
      const endAt = performance.now() + deadlineMs;
      await Promise.all(readers.map((reader) => reader.stop(deadlineMs)));
      await foreign.stop(Math.max(0, endAt - performance.now()));
    },
  };
}
