/**
 * The shop's topics, made at its start and removed at its end. A topic of that name that somebody else made is left alone:
 * ours are known by their odd retention, which also empties them should nobody be left to remove them.
 */
import type { Admin } from 'kafkajs';
import { requireKafka } from '../instrumented.ts';
import { groupOf, QUEUES, type ShopKafka, topicOf } from './settings.ts';

const PARTITIONS = 2;
const RETENTION = { name: 'retention.ms', value: '617000' } as const;
const ATTEMPTS = 50;
const PAUSE_MS = 100;

const topicsOf = (kafka: ShopKafka): string[] => QUEUES.map((queue) => topicOf(kafka, queue));

/** Rejects when another shop uses them or somebody else made one of them. */
export async function createTopics(admin: Admin, kafka: ShopKafka): Promise<void> {
  const wanted = topicsOf(kafka);
  const present = (await admin.listTopics()).filter((topic) => wanted.includes(topic));
  if (present.length > 0) {
    await assertLeftOver(admin, kafka, present);
    await admin.deleteTopics({ topics: present });
  }
  const topics = wanted.map((topic) => ({ topic, numPartitions: PARTITIONS, configEntries: [RETENTION] }));
  // The broker deletes in the background: the same name is taken for a moment. To wait for leaders here would fail where it does not
  // know its new topics yet, and then they exist.
  await until(async () => {
    if (!(await admin.createTopics({ topics, waitForLeaders: false })))
      throw new Error(`the topics ${wanted.join(', ')} exist`);
  });
  // Metadata names a leader before that broker knows of it, and kafkajs does not ask again for offsets.
  await until(() => endsOf(admin, kafka));
}

async function until(done: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await done();
      return;
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}

async function assertLeftOver(admin: Admin, kafka: ShopKafka, present: readonly string[]): Promise<void> {
  const { ConfigResourceTypes } = requireKafka();
  const group = groupOf(kafka);
  const { groups } = await admin.describeGroups([group]);
  if (groups.some(({ members }) => members.length > 0)) {
    throw new Error(`another shop uses the consumer group ${group} on this cluster: give this one another prefix`);
  }
  const { resources } = await admin.describeConfigs({
    includeSynonyms: false,
    resources: present.map((name) => ({ type: ConfigResourceTypes.TOPIC, name, configNames: [RETENTION.name] })),
  });
  for (const { resourceName, configEntries } of resources) {
    if (
      configEntries.some(
        ({ configName, configValue }) => configName === RETENTION.name && configValue === RETENTION.value,
      )
    )
      continue;
    throw new Error(`the topic ${resourceName} exists and is not the shop's: give the shop another prefix`);
  }
}

/** Removes topics and consumer group; what is left of them, the broker removes by itself. */
export async function removeTopics(admin: Admin, kafka: ShopKafka): Promise<void> {
  await admin.deleteGroups([groupOf(kafka)]).catch(() => undefined); // it was never joined, or a member lingers
  await admin.deleteTopics({ topics: topicsOf(kafka) });
}

/** Where each partition ends now, by `topic/partition`. */
export async function endsOf(admin: Admin, kafka: ShopKafka): Promise<Map<string, bigint>> {
  const ends = new Map<string, bigint>();
  for (const topic of topicsOf(kafka)) {
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
      ends.set(`${topic}/${partition}`, BigInt(high));
    }
  }
  return ends;
}
