/** A demo's topics and groups on somebody's Kafka: looked for before it starts, removed after it ends. */
import { Kafka, logLevel } from 'kafkajs';
import { SpanwardenError } from '../../runtime/errors.ts';

interface Topics {
  /** Rejects with LOG_UNAVAILABLE when no broker answers. */
  check(): Promise<void>;
  /** Removes every topic and every group without members whose name begins with the prefix. */
  remove(): Promise<void>;
}

export function demoTopics(brokers: readonly string[], prefix: string): Topics {
  const kafka = new Kafka({
    clientId: 'spanwarden-demo',
    brokers: [...brokers],
    connectionTimeout: 3_000,
    retry: { retries: 2, initialRetryTime: 200 },
    logLevel: logLevel.NOTHING,
  });

  async function withAdmin<T>(use: (admin: ReturnType<typeof kafka.admin>) => Promise<T>): Promise<T> {
    const admin = kafka.admin();
    await admin.connect();
    try {
      return await use(admin);
    } finally {
      await admin.disconnect();
    }
  }

  return {
    async check() {
      await withAdmin((admin) => admin.listTopics()).catch((cause: unknown) => {
        throw new SpanwardenError(
          'LOG_UNAVAILABLE',
          `no Kafka broker answers at ${brokers.join(', ')}: start one (in a checkout: npm run kafka), or leave --kafka out`,
          { cause },
        );
      });
    },
    remove: () =>
      withAdmin(async (admin) => {
        const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
        if (topics.length > 0) await admin.deleteTopics({ topics });
        const { groups } = await admin.listGroups();
        const ours = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix));
        // a group whose killed member has not timed out yet ends by itself
        if (ours.length > 0) await admin.deleteGroups(ours).catch(() => {});
      }),
  };
}
