/**
 * The brokers: who they are, who leads which partition, and connections to them. A connection belongs to one purpose
 * (its lane), because a broker answers the requests of one connection one after another: a commit must not wait
 * behind a fetch that waits for records.
 */
import type { ConnectionOptions } from '@platformatic/kafka';
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { SpanwardenError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Metrics } from '../../telemetry/metrics.ts';
import { type Sleep, sleepFor } from '../clock.ts';
import { backoffMs } from './backoff.ts';
import { createDenials, type Denials } from './denials.ts';
import { createEpisodes } from './episodes.ts';
import { explainFailure, KafkaError, responseOf } from './failures.ts';
import { type Connection, type Library, loadLibrary } from './library.ts';
import { addressOf, type BrokerAddress, connectionOptions, parseBroker } from './settings.ts';

export interface TopicInfo {
  readonly name: string;
  /** Changes when the topic is deleted and created again; the same for all topics where the broker tells none. */
  readonly id: string;
  /** Node that leads each partition; -1 = nobody at present. */
  readonly leaders: readonly number[];
}

export interface ClusterDeps {
  readonly logger?: Logger | undefined;
  readonly metrics?: Metrics | undefined;
}

/** Quick requests share this lane. */
export const CONTROL = 'control';

export type Call<T> = (connection: Connection, library: Library) => Promise<T>;

export interface Cluster {
  /**
   * Waits until a broker takes us, and says what keeps it from that. Rejects with CONFIG_INVALID for what is wrong on
   * our side, with STOPPED after stop().
   */
  start(): Promise<void>;
  /**
   * One request to a node. An answer with error codes is an answer, not a rejection. Rejects with LOG_UNAVAILABLE when
   * there is none; the connection is then made anew by the next request.
   */
  request<T>(node: number, lane: string, call: Call<T>, timeoutMs?: number): Promise<T>;
  /** One request to any node, first to those that have not failed of late. */
  anywhere<T>(call: Call<T>, lane?: string, timeoutMs?: number): Promise<T>;
  /** One request to the controller. */
  controller<T>(call: Call<T>): Promise<T>;
  /** As last heard; undefined when never asked, null when it does not exist. */
  topic(name: string): TopicInfo | null | undefined;
  /** Asks again who leads what. Null: the topic does not exist. */
  refresh(name: string): Promise<TopicInfo | null>;
  /** Ends the connections of a lane for good: what was asked over them fails, and that is no fault of a broker. */
  release(lane: string): void;
  /** What ACLs keep from us. */
  readonly denials: Denials;
  readonly stopped: boolean;
  stop(): void;
}

const ANY = -1;
/** A broker that demands authentication still says what it speaks, before it closes the connection. */
const GREETING = 1;
/** Between attempts with credentials or certificates that a broker refused: accounts may be locked by too many. */
const REFUSED_MS = 5_000;

/** API key → version we speak; all brokers from Kafka 2.4 on do (kafka.apache.org/protocol). */
const SPOKEN: readonly (readonly [key: number, version: number, name: string])[] = [
  [0, 7, 'Produce'],
  [1, 11, 'Fetch'],
  [2, 4, 'ListOffsets'],
  [3, 8, 'Metadata'],
  [8, 7, 'OffsetCommit'],
  [9, 5, 'OffsetFetch'],
  [10, 2, 'FindCoordinator'],
  [11, 5, 'JoinGroup'],
  [12, 3, 'Heartbeat'],
  [13, 3, 'LeaveGroup'],
  [14, 3, 'SyncGroup'],
  [22, 1, 'InitProducerId'],
];
/** Tells topic ids. */
const METADATA_WITH_IDS = 12;

export function createCluster(config: KafkaConfig, deps: ClusterDeps): Cluster {
  const { logger, metrics } = deps;
  const bootstrap = config.brokers.map(parseBroker);
  const episodes = createEpisodes({ logger, metrics, now: () => performance.now() });
  const denials = createDenials({ user: config.sasl.username, logger, metrics, now: () => performance.now() });
  const opened = metrics?.counter('log_kafka_connections_total', 'Connections made to Kafka brokers');
  const connections = new Map<string, Promise<Connection>>();
  const nodes = new Map<number, BrokerAddress>();
  const released = new Set<string>();
  /** Requests answered. */
  const served = new WeakMap<Connection, number>();
  const topics = new Map<string, TopicInfo | null>();
  const refreshing = new Map<string, Promise<TopicInfo | null>>();
  let controllerNode = ANY;
  let options: ConnectionOptions | undefined;
  let withIds = false;
  /** A broker does not take us as we are: no use in asking it every other second. */
  let refused = false;
  let starting: Promise<void> | undefined;
  let waiting: Sleep | undefined;
  let stopped = false;
  let turn = 0;

  const keyOf = (broker: BrokerAddress, lane: string): string => `${addressOf(broker)} ${lane}`;
  const givenUp = (): SpanwardenError => new SpanwardenError('LOG_UNAVAILABLE', 'this connection was given up');
  const refuse = (): SpanwardenError => new SpanwardenError('STOPPED', 'the log is stopped');

  /** Counts and tells the failure; gives what callers see. */
  function unavailable(address: string, error: unknown, inService = false): SpanwardenError {
    if (stopped) return refuse();
    if (error instanceof SpanwardenError) return error;
    const failure = explainFailure(error, config);
    if (inService && failure.what === 'closed') episodes.closed(failure);
    else episodes.failed(address, failure);
    if (failure.refused) refused = true;
    // the library's own error is not handed on as cause: it may hold whole requests and answers
    return new SpanwardenError('LOG_UNAVAILABLE', `Kafka broker ${address}: ${failure.reason}`);
  }

  async function open(key: string, broker: BrokerAddress, timeoutMs: number): Promise<Connection> {
    const library = await loadLibrary();
    options ??= connectionOptions(config);
    const connection = new library.Connection(config.clientId, { ...options, requestTimeout: timeoutMs });
    // an EventEmitter without a listener for errors ends the process
    connection.on('error', () => {});
    try {
      await connection.connect(broker.host, broker.port);
    } catch (error) {
      connection.socket?.destroy();
      throw error;
    }
    if (stopped) {
      connection.socket.destroy();
      throw refuse();
    }
    opened?.add(1);
    connection.once('close', () => {
      if (connections.get(key) === pending) connections.delete(key);
    });
    const pending = connections.get(key);
    return connection;
  }

  function connect(broker: BrokerAddress, lane: string, timeoutMs: number): Promise<Connection> {
    const key = keyOf(broker, lane);
    const known = connections.get(key);
    if (known) return known;
    const pending = open(key, broker, timeoutMs);
    connections.set(key, pending);
    pending.catch(() => {
      if (connections.get(key) === pending) connections.delete(key);
    });
    return pending;
  }

  async function ask<T>(broker: BrokerAddress, lane: string, call: Call<T>, timeoutMs: number): Promise<T> {
    if (stopped) throw refuse();
    if (released.has(lane)) throw givenUp();
    const address = addressOf(broker);
    let connection: Connection;
    try {
      connection = await connect(broker, lane, timeoutMs);
    } catch (error) {
      throw unavailable(address, error);
    }
    try {
      const answer = await call(connection, await loadLibrary());
      episodes.answered(address);
      served.set(connection, (served.get(connection) ?? 0) + 1);
      return answer;
    } catch (error) {
      const answer = responseOf<T>(error);
      if (answer !== undefined) {
        episodes.answered(address);
        return answer;
      }
      if (!connection.isConnected()) {
        connections.delete(keyOf(broker, lane));
        connection.socket.destroy();
      }
      if (released.has(lane)) throw givenUp();
      throw unavailable(address, error, (served.get(connection) ?? 0) > GREETING);
    }
  }

  async function request<T>(
    node: number,
    lane: string,
    call: Call<T>,
    timeoutMs = config.requestTimeoutMs,
  ): Promise<T> {
    const broker = nodes.get(node);
    if (!broker) throw new SpanwardenError('LOG_UNAVAILABLE', `Kafka broker ${node} is not in the cluster at present`);
    return ask(broker, lane, call, timeoutMs);
  }

  /**
   * Every broker is asked once: the last one that answered first, then the ones of the configuration, and at the end those
   * that are failing, each of which may take the whole timeout.
   */
  async function anywhere<T>(call: Call<T>, lane = CONTROL, timeoutMs = config.requestTimeoutMs): Promise<T> {
    const known = [...nodes.values()];
    const addresses = new Set(known.map(addressOf));
    const all = [...known, ...bootstrap.filter((broker) => !addresses.has(addressOf(broker)))];
    const first = turn % all.length;
    const turned = [...all.slice(first), ...all.slice(0, first)];
    const failing = turned.filter((broker) => episodes.open(addressOf(broker)));
    let failure: unknown;
    for (const broker of [...turned.filter((one) => !failing.includes(one)), ...failing]) {
      try {
        return await ask(broker, lane, call, timeoutMs);
      } catch (error) {
        turn++;
        failure = error;
        if (error instanceof SpanwardenError && !error.retryable) throw error;
      }
    }
    throw failure;
  }

  async function readMetadata(names: readonly string[]): Promise<void> {
    const answer = await anywhere((connection, { metadataV8, metadataV12 }) =>
      withIds
        ? metadataV12.api.async(connection, [...names], false)
        : metadataV8.api.async(connection, [...names], false),
    );
    const before = new Map(nodes);
    nodes.clear();
    for (const { nodeId, host, port } of answer.brokers) nodes.set(nodeId, { host, port });
    for (const [node, broker] of before) if (!nodes.has(node)) episodes.forget(addressOf(broker));
    controllerNode = answer.controllerId;
    for (const { name, errorCode, topicId, partitions } of answer.topics) {
      if (typeof name !== 'string') continue;
      if (errorCode === KafkaError.topicAuthorizationFailed) {
        denials.denied('Describe', 'topic', name);
        throw new SpanwardenError(
          'LOG_UNAVAILABLE',
          `Kafka does not let us describe topic ${name}: its ACL needs Describe for ${config.sasl.username || 'anonymous clients'}`,
        );
      }
      denials.allowed('Describe', 'topic', name);
      if (errorCode === KafkaError.unknownTopicOrPartition) {
        topics.set(name, null);
        continue;
      }
      // an answer without partitions is none: the topic is being created
      if (partitions.length === 0) continue;
      const leaders = new Array<number>(partitions.length).fill(-1);
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
      topics.set(name, { name, id: topicId ?? '', leaders });
    }
  }

  /** Asks one broker what it speaks, and who the others are. */
  async function greet(): Promise<void> {
    const { apiKeys } = await anywhere((connection, { apiVersionsV1 }) => apiVersionsV1.api.async(connection, '', ''));
    for (const [key, version, name] of SPOKEN) {
      const spoken = apiKeys.find(({ apiKey }) => apiKey === key);
      if (!spoken || spoken.minVersion > version || spoken.maxVersion < version)
        throw new SpanwardenError('CONFIG_INVALID', `the Kafka broker does not speak ${name} version ${version}`);
    }
    withIds = apiKeys.some(({ apiKey, maxVersion }) => apiKey === 3 && maxVersion >= METADATA_WITH_IDS);
    await readMetadata([]);
  }

  async function untilReached(): Promise<void> {
    options = connectionOptions(config);
    for (let attempt = 1; ; attempt++) {
      if (stopped) throw refuse();
      refused = false;
      try {
        return await greet();
      } catch (error) {
        if (!(error instanceof SpanwardenError) || !error.retryable) throw error;
        waiting = sleepFor(refused ? REFUSED_MS : backoffMs(attempt));
        await waiting.over;
      }
    }
  }

  const end = (connection: Promise<Connection>): void => {
    connection.then(
      ({ socket }) => socket.destroy(),
      () => {},
    );
  };

  return {
    start() {
      starting ??= untilReached();
      return starting;
    },
    request,
    anywhere,
    controller: (call) => (nodes.has(controllerNode) ? request(controllerNode, CONTROL, call) : anywhere(call)),
    topic: (name) => topics.get(name),
    refresh(name) {
      const known = refreshing.get(name);
      if (known) return known;
      const pending = readMetadata([name])
        .then(() => topics.get(name) ?? null)
        .finally(() => refreshing.delete(name));
      refreshing.set(name, pending);
      return pending;
    },
    release(lane) {
      released.add(lane);
      for (const [key, connection] of connections) if (key.endsWith(` ${lane}`)) end(connection);
    },
    denials,
    get stopped() {
      return stopped;
    },
    stop() {
      stopped = true;
      waiting?.wake();
      episodes.stop();
      for (const connection of connections.values()) end(connection);
      connections.clear();
    },
  };
}
