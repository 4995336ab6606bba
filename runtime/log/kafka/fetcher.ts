/**
 * Fetches ahead for the partitions of one consumer: what is due is decided here, by partition, so that a slow or paused
 * one neither keeps the others waiting nor fills memory.
 */
import type { Logger } from '../../telemetry/logger.ts';
import { sleepFor } from '../clock.ts';
import { backoffMs } from './backoff.ts';
import { createBufferPool } from './buffer-pool.ts';
import type { Cluster } from './cluster.ts';
import { KafkaError } from './failures.ts';
import { type FetchedPartition, sendFetch } from './fetch-request.ts';
import type { Library } from './library.ts';
import { EARLIEST, LATEST, listOffsets } from './offsets.ts';
import { createRecordReader, type RecordReader } from './record-reader.ts';

export interface FetcherConfig {
  readonly topic: string;
  readonly group: string;
  /** Fetched ahead of the handler, by partition. */
  readonly aheadBytes: number;
  readonly requestTimeoutMs: number;
}

export interface FetcherDeps {
  readonly cluster: Cluster;
  readonly library: Library;
  readonly logger: Logger | undefined;
  /** Lanes of the connections to fetch over; two, so that waiting for one partition never keeps another from coming. */
  readonly lanes: readonly [string, string];
  /** Something came, or changed: look again. */
  wake(): void;
  /** Records that are gone, or cannot be read. */
  skipped(partition: number, records: number): void;
  /** The partition ends before the position: the topic is another one. */
  diverged(partition: number): void;
  /** The topic has not been there for a while. */
  missing(): void;
}

export interface PartitionFeed {
  readonly partition: number;
  readonly reader: RecordReader;
  paused: boolean;
  /** Offset the next record will get, as last heard; -1 = not heard yet. */
  readonly end: number;
  /** When the broker last said that there is nothing after what we have (performance.now); -Infinity = it did not. */
  readonly dryMs: number;
  /** Offset after everything handed over, or known to be gone. */
  readonly position: number;
  /** Drops what was fetched and goes on from `offset`. */
  seek(offset: number): void;
}

export interface Fetcher {
  add(partition: number, offset: number): PartitionFeed;
  remove(partition: number): void;
  /** Looks for partitions that want more. Cheap; called whenever one may. */
  poll(): void;
  /** Hears the ends of partitions that are not being fetched. */
  hearEnds(): Promise<void>;
  stop(): void;
}

interface Feed extends PartitionFeed {
  readonly reader: RecordReader;
  end: number;
  dryMs: number;
  /** Offset to fetch from. */
  from: number;
  /** Lane of the request under way. */
  lane: number;
  /** Grows with every seek: an answer to an earlier request is not ours. */
  epoch: number;
  maxBytes: number;
  readonly rest: Rest;
}

/** What failed is left alone for a while, longer each time; what did not fail goes on. */
interface Rest {
  resting: boolean;
  attempt: number;
}
const noRest = (): Rest => ({ resting: false, attempt: 0 });

interface Node {
  readonly lanes: Set<number>;
  readonly rest: Rest;
}

/** A broker without news answers after this. */
export const MAX_WAIT_MS = 250;
const MAX_PARTITION_BYTES = 1_048_576;
const MIN_PARTITION_BYTES = 65_536;
/** All partitions of a consumer together hold about as much as this, twice at most. */
const BUDGET_BYTES = 64 * 1_048_576;
const MAX_RESPONSE_BYTES = 16 * 1_048_576;
const POOL_BYTES = 16 * 1_048_576;
const LANES = 2;
/** A topic missing for so long is gone: a broker that has just come back may not know it yet. */
export const GONE_MS = 1_000;
/** No longer than this do partitions wait for news of their leaders: those that know may be silent. */
const NEWS_MS = 1_000;
/** News of leaders are asked for no more often: many partitions may fail at the same time. */
const LOOK_MS = 200;
/** Divergences this close to each other are one story. */
const DIVERGED_MS = 60_000;

export function createFetcher(config: FetcherConfig, deps: FetcherDeps): Fetcher {
  const { cluster, library, logger } = deps;
  const { topic, group } = config;
  const feeds = new Map<number, Feed>();
  const pool = createBufferPool(POOL_BYTES);
  /** Lanes in use, by node. */
  const nodes = new Map<number, Node>();
  /** Of partitions that nobody leads. */
  const leaderless = noRest();
  const timers = new Set<NodeJS.Timeout>();
  let lookedMs = Number.NEGATIVE_INFINITY;
  let looking: Promise<void> | undefined;
  let stopped = false;
  let missingSince: number | undefined;
  let divergedMs = Number.NEGATIVE_INFINITY;

  const partitionBytes = (): number =>
    Math.max(MIN_PARTITION_BYTES, Math.min(MAX_PARTITION_BYTES, Math.floor(BUDGET_BYTES / Math.max(1, feeds.size))));

  const wants = (feed: Feed): boolean =>
    feed.lane < 0 &&
    !feed.paused &&
    !feed.rest.resting &&
    feed.reader.pendingBytes < Math.min(config.aheadBytes, partitionBytes());

  function poll(): void {
    if (stopped) return;
    const leaders = cluster.topic(topic)?.leaders;
    const byNode = new Map<number, Feed[]>();
    let lost = leaders === undefined;
    for (const feed of feeds.values()) {
      if (!wants(feed)) continue;
      const node = leaders?.[feed.partition] ?? -1;
      if (node < 0) lost = true;
      else {
        const others = byNode.get(node);
        if (others) others.push(feed);
        else byNode.set(node, [feed]);
      }
    }
    for (const [node, due] of byNode) {
      let known = nodes.get(node);
      if (!known) {
        known = { lanes: new Set(), rest: noRest() };
        nodes.set(node, known);
      }
      const { lanes, rest } = known;
      if (lanes.size < LANES && !rest.resting) void fetch(node, lanes.has(0) ? 1 : 0, known, due);
    }
    if (!lost) leaderless.attempt = 0;
    else if (feeds.size > 0) later(leaderless);
  }

  /** Something failed: look who leads, and go on with it a little later. */
  function later(rest: Rest): void {
    if (stopped || rest.resting) return;
    rest.resting = true;
    rest.attempt++;
    const timer = setTimeout(async () => {
      timers.delete(timer);
      if (performance.now() - lookedMs > LOOK_MS)
        looking ??= look().finally(() => {
          looking = undefined;
        });
      const enough = sleepFor(NEWS_MS);
      await Promise.race([looking, enough.over]);
      enough.wake();
      rest.resting = false;
      poll();
    }, backoffMs(rest.attempt));
    timers.add(timer);
  }

  async function look(): Promise<void> {
    lookedMs = performance.now();
    try {
      if ((await cluster.refresh(topic)) !== null) missingSince = undefined;
      else {
        missingSince ??= performance.now();
        if (performance.now() - missingSince > GONE_MS) deps.missing();
      }
    } catch {
      // the cluster tells what is wrong with it
    }
  }

  async function fetch(node: number, lane: number, { lanes, rest }: Node, due: readonly Feed[]): Promise<void> {
    lanes.add(lane);
    const bound = partitionBytes();
    const asked = due.map((feed) => {
      feed.lane = lane;
      return { feed, epoch: feed.epoch };
    });
    let failed = false;
    try {
      const request = due.map(({ partition, from, maxBytes }) => ({
        partition,
        offset: from,
        maxBytes: Math.max(bound, maxBytes),
      }));
      const answers = await cluster.request(
        node,
        deps.lanes[lane]!,
        (connection) =>
          sendFetch(
            connection,
            library,
            topic,
            request,
            { maxWaitMs: MAX_WAIT_MS, maxBytes: MAX_RESPONSE_BYTES },
            pool,
          ),
        config.requestTimeoutMs + MAX_WAIT_MS,
      );
      const byPartition = new Map(answers.map((answer) => [answer.partition, answer]));
      for (const { feed, epoch } of asked) {
        const answer = byPartition.get(feed.partition);
        if (feeds.get(feed.partition) !== feed || feed.epoch !== epoch || !answer) continue;
        if (await take(feed, answer)) feed.rest.attempt = 0;
        else later(feed.rest);
      }
    } catch {
      failed = true;
    } finally {
      for (const { feed, epoch } of asked) if (feed.epoch === epoch) feed.lane = -1; // else a seek has freed it
      lanes.delete(lane);
    }
    if (stopped) return;
    if (failed) later(rest);
    else rest.attempt = 0;
    deps.wake();
    poll();
  }

  /** False: ask again later. */
  async function take(feed: Feed, { errorCode, end, records }: FetchedPartition): Promise<boolean> {
    if (errorCode === KafkaError.offsetOutOfRange) return outOfRange(feed);
    if (errorCode === KafkaError.topicAuthorizationFailed) cluster.denials.denied('Read', 'topic', topic);
    if (errorCode !== KafkaError.none) return false;
    cluster.denials.allowed('Read', 'topic', topic);
    missingSince = undefined;
    feed.end = end;
    const next = feed.reader.add(records);
    if (next !== undefined) feed.from = Math.max(feed.from, next);
    else if (records.length > 0) feed.maxBytes = Math.min(1_073_741_824, 2 * Math.max(feed.maxBytes, records.length));
    if (feed.from >= end) feed.dryMs = performance.now();
    return true;
  }

  /** Retention was faster than we are, or the topic was deleted and made again, or lost its end. */
  async function outOfRange(feed: Feed): Promise<boolean> {
    const { partition, epoch, from } = feed;
    const [earliest, latest] = await Promise.all([
      listOffsets(cluster, topic, [partition], EARLIEST),
      listOffsets(cluster, topic, [partition], LATEST),
    ]);
    const first = earliest.get(partition);
    const end = latest.get(partition);
    if (first === undefined || end === undefined) return false;
    if (feeds.get(partition) !== feed || feed.epoch !== epoch) return true;
    feed.end = end;
    if (from < first) {
      deps.skipped(partition, first - from);
      logger?.error(
        { topic, group, partition, offset: from, next: first },
        'records were removed by retention before they were read',
      );
      // what was fetched before is there to be read, and the reader passes over the gap
      feed.from = first;
      return true;
    }
    if (from <= end) return false;
    const nowMs = performance.now();
    // who is asked where to start may name such an offset again and again
    if (nowMs - divergedMs > DIVERGED_MS)
      logger?.error(
        { topic, group, partition, offset: from, end },
        'the partition ends before the position: the topic was made anew or lost records; its start is asked for again',
      );
    divergedMs = nowMs;
    deps.diverged(partition);
    return false;
  }

  return {
    add(partition, offset) {
      const reader = createRecordReader(
        library,
        offset,
        (at, next, reason) => {
          deps.skipped(partition, next - at);
          logger?.error(
            { topic, group, partition, offset: at, next, reason },
            'records cannot be read and are left out',
          );
        },
        pool.give,
      );
      const feed: Feed = {
        partition,
        reader,
        paused: false,
        end: -1,
        dryMs: Number.NEGATIVE_INFINITY,
        from: offset,
        lane: -1,
        epoch: 0,
        maxBytes: 0,
        rest: noRest(),
        get position() {
          return reader.pendingBytes === 0 ? Math.max(reader.position, feed.from) : reader.position;
        },
        seek(to) {
          reader.clear(to);
          feed.from = to;
          feed.dryMs = Number.NEGATIVE_INFINITY;
          feed.epoch++;
          feed.lane = -1;
          poll();
        },
      };
      feeds.set(partition, feed);
      return feed;
    },
    remove: (partition) => void feeds.delete(partition),
    poll,
    async hearEnds() {
      const silent = [...feeds.values()].filter(({ paused, lane }) => paused || lane < 0);
      if (silent.length === 0) return;
      const ends = await listOffsets(
        cluster,
        topic,
        silent.map(({ partition }) => partition),
        LATEST,
      );
      for (const feed of silent) feed.end = ends.get(feed.partition) ?? feed.end;
    },
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      for (const lane of deps.lanes) cluster.release(lane);
    },
  };
}
