/** The broker that looks after a group: found, and asked. Every answer is an error code or what was asked for. */
import type { Cluster } from './cluster.ts';
import { type Call, CONTROL } from './cluster.ts';
import { KafkaError } from './failures.ts';

export interface GroupIdentity {
  readonly memberId: string;
  readonly generation: number;
}

export interface Joined extends GroupIdentity {
  readonly errorCode: number;
  readonly leader: string;
  readonly protocol: string;
  readonly members: readonly { readonly memberId: string; readonly metadata: Buffer }[];
}

export interface Coordinator {
  /** Waits until all members have come, so it may take as long as the session timeout. */
  join(memberId: string, protocol: string, metadata: Buffer): Promise<Joined>;
  sync(
    own: GroupIdentity,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): Promise<{ readonly errorCode: number; readonly assignment: Buffer }>;
  heartbeat(own: GroupIdentity): Promise<number>;
  leave(memberId: string): Promise<void>;
  /** Error code. */
  commit(own: GroupIdentity, partition: number, offset: number): Promise<number>;
  /** Next offset by partition; partitions without a commit are left out. */
  committed(
    partitions: readonly number[],
  ): Promise<{ readonly errorCode: number; readonly offsets: ReadonlyMap<number, number> }>;
  /** Ends its connections. */
  stop(): void;
}

export interface CoordinatorConfig {
  readonly group: string;
  readonly topic: string;
  readonly sessionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Of the connection over which we join, and are silent for long; heartbeats have one of their own. */
  readonly lane: string;
}

/** The connection that a request takes, and how long an answer may take there. */
interface Over {
  readonly lane: string;
  readonly timeoutMs: number;
}

const GROUP_KEY = 0;
/** Codes after which the coordinator is looked for again. */
const MOVED: ReadonlySet<number> = new Set([KafkaError.notCoordinator, KafkaError.coordinatorNotAvailable]);

export function createCoordinator(config: CoordinatorConfig, cluster: Cluster): Coordinator {
  const { group, topic, lane, requestTimeoutMs, sessionTimeoutMs } = config;
  /** Commits and others may wait; heartbeats that do lose the session. */
  const control: Over = { lane: CONTROL, timeoutMs: requestTimeoutMs };
  const joining: Over = { lane, timeoutMs: requestTimeoutMs + sessionTimeoutMs };
  const beating: Over = { lane: `${lane} heartbeat`, timeoutMs: Math.min(requestTimeoutMs, sessionTimeoutMs / 3) };
  let node: number | undefined;

  async function find(over: Over): Promise<number> {
    if (node !== undefined) return node;
    const answer = await cluster.anywhere(
      (connection, { findCoordinatorV2 }) => findCoordinatorV2.api.async(connection, GROUP_KEY, [group]),
      over.lane,
      over.timeoutMs,
    );
    const found = answer.coordinators[0]!;
    if (found.errorCode === KafkaError.groupAuthorizationFailed) cluster.denials.denied('Read', 'group', group);
    if (found.errorCode !== 0) throw new CoordinatorError(found.errorCode);
    node = found.nodeId;
    return node;
  }

  async function ask<T>(call: Call<T>, errorCode: (answer: T) => number, over = control): Promise<T> {
    const at = await find(over === beating ? beating : control);
    let answer: T;
    try {
      answer = await cluster.request(at, over.lane, call, over.timeoutMs);
    } catch (error) {
      node = undefined;
      // a node that is new to us is known after this
      const refreshed = cluster.refresh(topic).catch(() => null);
      if (over !== beating) await refreshed;
      throw error;
    }
    const code = errorCode(answer);
    if (MOVED.has(code)) node = undefined;
    if (code === KafkaError.groupAuthorizationFailed) cluster.denials.denied('Read', 'group', group);
    else if (code === KafkaError.topicAuthorizationFailed) cluster.denials.denied('Read', 'topic', topic);
    else if (code === KafkaError.none) cluster.denials.allowed('Read', 'group', group);
    return answer;
  }

  return {
    async join(memberId, protocol, metadata) {
      const answer = await ask(
        (connection, { joinGroupV5 }) =>
          joinGroupV5.api.async(
            connection,
            group,
            config.sessionTimeoutMs,
            config.sessionTimeoutMs,
            memberId,
            null,
            'consumer',
            [{ name: protocol, metadata }],
          ),
        (joined) => joined.errorCode,
        joining,
      );
      return {
        errorCode: answer.errorCode,
        memberId: answer.memberId,
        generation: answer.generationId,
        leader: answer.leader,
        protocol: answer.protocolName ?? '',
        members: answer.members,
      };
    },
    sync: ({ memberId, generation }, assignments) =>
      ask(
        (connection, { syncGroupV3 }) =>
          syncGroupV3.api.async(connection, group, generation, memberId, null, 'consumer', '', [...assignments]),
        (answer) => answer.errorCode,
        joining,
      ),
    async heartbeat({ memberId, generation }) {
      const answer = await ask(
        (connection, { heartbeatV3 }) => heartbeatV3.api.async(connection, group, generation, memberId, null),
        ({ errorCode }) => errorCode,
        beating,
      );
      return answer.errorCode;
    },
    async leave(memberId) {
      await ask(
        (connection, { leaveGroupV3 }) =>
          leaveGroupV3.api.async(connection, group, [{ memberId, groupInstanceId: null }]),
        ({ errorCode }) => errorCode,
      );
    },
    async commit({ memberId, generation }, partition, offset) {
      const codeOf = (answer: { topics: { partitions: { errorCode: number }[] }[] }): number =>
        answer.topics[0]?.partitions[0]?.errorCode ?? KafkaError.none;
      const answer = await ask(
        (connection, { offsetCommitV7 }) =>
          offsetCommitV7.api.async(connection, group, generation, memberId, null, [
            {
              name: topic,
              partitions: [{ partitionIndex: partition, committedOffset: BigInt(offset), committedLeaderEpoch: -1 }],
            },
          ]),
        codeOf,
      );
      return codeOf(answer);
    },
    async committed(partitions) {
      const answer = await ask(
        (connection, { offsetFetchV5 }) =>
          offsetFetchV5.api.async(
            connection,
            [{ groupId: group, topics: [{ name: topic, partitionIndexes: [...partitions] }] }],
            false,
          ),
        (fetched) => fetched.errorCode,
      );
      const offsets = new Map<number, number>();
      let errorCode = answer.errorCode;
      for (const one of answer.topics[0]?.partitions ?? []) {
        if (one.errorCode === KafkaError.topicAuthorizationFailed) cluster.denials.denied('Describe', 'topic', topic);
        if (one.errorCode !== KafkaError.none) errorCode = one.errorCode;
        else if (one.committedOffset >= 0n) offsets.set(one.partitionIndex, Number(one.committedOffset));
      }
      return { errorCode, offsets };
    },
    stop() {
      for (const over of [joining, beating]) cluster.release(over.lane);
    },
  };
}

/** The coordinator cannot be had. */
export class CoordinatorError extends Error {
  readonly errorCode: number;
  constructor(errorCode: number) {
    super(`no group coordinator (error ${errorCode})`);
    this.name = 'CoordinatorError';
    this.errorCode = errorCode;
  }
}
