/**
 * Membership of a consumer group over the classic protocol (JoinGroup, SyncGroup, Heartbeat). Partitions that stay with
 * us through a rebalance stay as they are; only what we lose is revoked, at the moment we hear of it. The broker takes
 * no commit of a former generation, so a new owner never sees one overtaken (docs/adr/018-kafka-log.md).
 */
import { SpanwardenError } from '../../errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type Sleep, sleepFor } from '../clock.ts';
import { assignExclusive, assignShared, type Member } from './assign.ts';
import { backoffMs } from './backoff.ts';
import type { Cluster } from './cluster.ts';
import { type Coordinator, CoordinatorError, type GroupIdentity } from './coordinator.ts';
import { KafkaError } from './failures.ts';
import { GONE_MS } from './fetcher.ts';
import type { Library } from './library.ts';

export interface MembershipConfig {
  readonly topic: string;
  readonly group: string;
  readonly exclusive: boolean;
  readonly sessionTimeoutMs: number;
}

export interface MembershipDeps {
  readonly cluster: Cluster;
  readonly library: Library;
  readonly coordinator: Coordinator;
  readonly logger: Logger | undefined;
  /** What is ours from now on, all of it; what is missing is lost. Synchronous. */
  assigned(generation: number, partitions: readonly number[]): void;
  /** Partitions held at present: what we say when the group is shared out again. */
  held(): readonly number[];
  /** The topic is not there: makes it again when it is ours. */
  missing(): Promise<void>;
}

export interface Membership {
  /** Runs until stop(); rejects when the group can never be joined. */
  run(): Promise<void>;
  /** Undefined while we are in no group. */
  readonly own: GroupIdentity | undefined;
  /** The coordinator has taken us for a member within the session: nobody else has what is ours. */
  readonly confirmed: boolean;
  /** Resolves when the rebalance under way is over (or at once). */
  settled(): Promise<void>;
  /** Gives up everything and joins again. */
  restart(reason: string): void;
  /** Leaves the group. */
  stop(deadlineMs: number): Promise<void>;
}

const NO_DATA = Buffer.alloc(0);
const TOPIC_POLL_MS = 250;
const HEARTBEAT_MS = 1_000;
/** Partitions may be added to a topic; the leader of the group looks so often. */
const METADATA_MS = 5_000;
/** Restarts this close to each other are one story: each waits longer than the one before, and says nothing more. */
const RESTARTS_MS = 60_000;
/** Attempts to join after which it is said that they fail: some 15 s. */
const MANY_ATTEMPTS = 12;

const LOST: ReadonlySet<number> = new Set([KafkaError.unknownMember, KafkaError.illegalGeneration]);
const PASSING: ReadonlySet<number> = new Set([
  KafkaError.coordinatorLoading,
  KafkaError.coordinatorNotAvailable,
  KafkaError.notCoordinator,
  KafkaError.rebalanceInProgress,
]);

export function createMembership(config: MembershipConfig, deps: MembershipDeps): Membership {
  const { topic, group, exclusive, sessionTimeoutMs } = config;
  const { cluster, library, coordinator, logger } = deps;
  const protocol = exclusive ? 'spanwarden-exclusive' : 'spanwarden-sticky';
  const heartbeatMs = Math.min(HEARTBEAT_MS, sessionTimeoutMs / 4);
  let own: GroupIdentity | undefined;
  let memberId = '';
  /** Generation in which we got what we hold. */
  let heldSince = -1;
  let stopping = false;
  let pause: Sleep | undefined;
  let rebalancing = Promise.withResolvers<void>();
  let restartReason: string | undefined;
  let restarts = 0;
  let restartedMs = Number.NEGATIVE_INFINITY;
  let topicId: string | undefined;
  let leads = false;
  let partitionCount = 0;
  let lookedMs = 0;
  let attempt = 0;
  let complained = false;
  /** When the last request was sent that the coordinator answered as to a member. */
  let confirmedMs = Number.NEGATIVE_INFINITY;
  let looking = false;
  /** The topic is not as it was when the group was shared out. */
  let outdated = false;

  async function rest(ms: number): Promise<void> {
    if (stopping) return;
    pause = sleepFor(ms);
    await pause.over;
    pause = undefined;
  }

  function lose(reason: string, quietly = false): void {
    own = undefined;
    heldSince = -1;
    const lost = deps.held();
    if (lost.length > 0 && !stopping)
      logger?.[quietly ? 'debug' : 'warn']({ topic, group, partitions: lost, reason }, 'partitions revoked');
    deps.assigned(-1, []);
  }

  /** Waits until the topic exists. */
  async function untilTopic(): Promise<number> {
    let missingSince: number | undefined;
    for (let told = false; !stopping; ) {
      const info = await cluster.refresh(topic);
      lookedMs = performance.now();
      if (info !== null) {
        if (topicId !== undefined && info.id !== topicId) {
          logger?.error({ topic, group }, 'the topic was deleted and made anew; it is read from its beginning');
          lose('the topic is another one');
        }
        topicId = info.id;
        return info.leaders.length;
      }
      missingSince ??= performance.now();
      if (topicId !== undefined) {
        // a broker that has just come, or just come back, may not know it yet
        if (performance.now() - missingSince < GONE_MS) {
          await rest(TOPIC_POLL_MS);
          continue;
        }
        topicId = undefined;
        logger?.error({ topic, group }, 'the topic was deleted');
        lose('the topic was deleted');
      }
      await deps.missing();
      if (!told) logger?.warn({ topic, group }, 'waiting for the Kafka topic, which does not exist');
      told = true;
      await rest(TOPIC_POLL_MS);
    }
    return 0;
  }

  function subscription(): Buffer {
    return library.encodeConsumerProtocolSubscription({
      version: 2,
      topics: [topic],
      userData: NO_DATA,
      ownedPartitions: [{ topic, partitions: [...deps.held()] }],
      generationId: heldSince,
    });
  }

  function share(members: readonly { readonly memberId: string; readonly metadata: Buffer }[]) {
    const known: Member[] = members.map((member) => {
      const { ownedPartitions, generationId } = library.decodeConsumerProtocolSubscription(member.metadata);
      const owned = ownedPartitions?.find((one) => one.topic === topic)?.partitions ?? [];
      return { id: member.memberId, owned, generation: generationId ?? -1 };
    });
    const shares = (exclusive ? assignExclusive : assignShared)(known, partitionCount);
    return [...shares].map(([id, partitions]) => ({
      memberId: id,
      assignment: library.encodeConsumerProtocolAssignment({
        version: 0,
        assignedPartitions: partitions.length > 0 ? [{ topic, partitions }] : [],
        userData: NO_DATA,
      }),
    }));
  }

  /** One attempt to become a member of the next generation; false: try again. */
  async function join(): Promise<boolean> {
    partitionCount = await untilTopic();
    if (stopping) return false;
    const joined = await coordinator.join(memberId, protocol, subscription());
    if (joined.errorCode === KafkaError.memberIdRequired) {
      memberId = joined.memberId;
      return false;
    }
    if (!passes('join', joined.errorCode)) return false;
    const identity = { memberId: joined.memberId, generation: joined.generation };
    memberId = joined.memberId;
    leads = joined.leader === joined.memberId;
    const sentMs = performance.now();
    const synced = await coordinator.sync(identity, leads ? share(joined.members) : []);
    if (!passes('sync', synced.errorCode)) return false;
    const { assignedPartitions } = library.decodeConsumerProtocolAssignment(synced.assignment);
    const partitions = assignedPartitions.find((one) => one.topic === topic)?.partitions ?? [];
    if (stopping) return false;
    restartReason = undefined;
    own = identity;
    confirmedMs = sentMs;
    outdated = false;
    heldSince = identity.generation;
    const { generation } = identity;
    logger?.[restarts > 1 ? 'debug' : 'info']({ topic, group, generation, partitions }, 'partitions assigned');
    deps.assigned(identity.generation, partitions);
    rebalancing.resolve();
    attempt = 0;
    complained = false;
    return true;
  }

  /** True: go on. False: join again. Throws what joining again cannot mend. */
  function passes(what: string, errorCode: number): boolean {
    if (errorCode === KafkaError.none) return true;
    if (LOST.has(errorCode)) {
      if (errorCode === KafkaError.unknownMember) memberId = '';
      lose('the group went on without us');
      return false;
    }
    if (errorCode === KafkaError.invalidSessionTimeout)
      throw new SpanwardenError(
        'CONFIG_INVALID',
        `kafka.sessionTimeoutMs ${sessionTimeoutMs} is not within what the broker allows (group.min.session.timeout.ms, group.max.session.timeout.ms)`,
      );
    if (PASSING.has(errorCode)) throw new CoordinatorError(errorCode);
    // what ACLs keep from us the coordinator's side has told
    if (!complained && errorCode !== KafkaError.groupAuthorizationFailed) {
      complained = true;
      const reason =
        errorCode === KafkaError.inconsistentGroupProtocol
          ? 'it has members of another program, or of another kind'
          : `error ${errorCode}`;
      logger?.error({ topic, group, what, reason }, 'cannot be a member of the Kafka group; trying again');
    }
    throw new CoordinatorError(errorCode);
  }

  /** Stays in the group until it must be joined again. */
  async function stay(): Promise<void> {
    let failures = 0;
    while (!stopping && own) {
      await rest(failures > 0 ? Math.min(heartbeatMs, backoffMs(failures)) : heartbeatMs);
      if (stopping || !own || outdated) return;
      if (restarts > 0 && performance.now() - restartedMs > RESTARTS_MS) restarts = 0;
      if (restartReason !== undefined) {
        restarts++;
        restartedMs = performance.now();
        lose(restartReason, restarts > 1);
        restartReason = undefined;
        if (restarts > 1) await rest(backoffMs(restarts));
        return;
      }
      const sentMs = performance.now();
      let code: number;
      try {
        code = await coordinator.heartbeat(own);
      } catch (error) {
        if (cluster.stopped) throw error;
        failures++; // nobody can take our partitions but a coordinator, which will tell
        continue;
      }
      if (code === KafkaError.rebalanceInProgress) return;
      if (LOST.has(code)) {
        passes('heartbeat', code);
        return;
      }
      if (code === KafkaError.none) {
        failures = 0;
        confirmedMs = sentMs;
      } else failures++;
      if (performance.now() - lookedMs > METADATA_MS) void look();
    }
  }

  /** Whether the topic is another one, or has other partitions. No heartbeat waits for it: brokers may be silent. */
  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    lookedMs = performance.now();
    const generation = own?.generation;
    try {
      const info = await cluster.refresh(topic);
      if (own?.generation !== generation) return;
      const changed = info === null || info.id !== topicId || (leads && info.leaders.length !== partitionCount);
      if (!changed) return;
      outdated = true;
      pause?.wake();
    } catch {
      // the cluster tells what is wrong with it
    } finally {
      looking = false;
    }
  }

  return {
    async run() {
      while (!stopping) {
        try {
          if (await join()) {
            await stay();
            rebalancing = Promise.withResolvers<void>();
          }
        } catch (error) {
          if (stopping || cluster.stopped) break;
          if (error instanceof SpanwardenError && !error.retryable) throw error;
          if (!(error instanceof SpanwardenError) && !(error instanceof CoordinatorError)) throw error;
          attempt++;
          if (attempt === MANY_ATTEMPTS)
            logger?.warn(
              { topic, group, reason: error.message },
              'not a member of the Kafka group for some time; trying again',
            );
          await rest(backoffMs(attempt));
        }
      }
      rebalancing.resolve();
    },
    get own() {
      return own;
    },
    get confirmed() {
      return own !== undefined && performance.now() - confirmedMs < sessionTimeoutMs;
    },
    settled: () => rebalancing.promise,
    restart(reason) {
      restartReason ??= reason;
      pause?.wake();
    },
    async stop(deadlineMs) {
      stopping = true;
      pause?.wake();
      rebalancing.resolve();
      if (memberId === '' || cluster.stopped) return;
      const limit = sleepFor(deadlineMs);
      await Promise.race([coordinator.leave(memberId).catch(() => {}), limit.over]);
      limit.wake();
      own = undefined;
    },
  };
}
