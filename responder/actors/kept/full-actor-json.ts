/** A full actor in a snapshot: by name, so that the order of columns, of tests' names and of kinds may change between versions. */
import type { AbuseKind, SubjectKind } from '../../../schemas/log/actor-record.ts';
import type { StageMark } from '../../../schemas/log/kill-chain.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { EVIDENCE_LENGTH } from '../evidence/evidence.ts';
import { listOf } from './actor-texts.ts';
import { addTrace, countsFinding } from './adding.ts';
import { raiseAlarm } from './alarms.ts';
import { FullActor, type Reason } from './full-actor.ts';
import { MOST_COUNTED, SET_WORDS, W } from './full-row.ts';
import { addMark, markDecadesOf } from './stage-marks.ts';

/** What is a number and stands for itself. */
const NUMBERS = [
  'lastMs',
  'requests',
  'points',
  'pointsMs',
  'sampleWeight',
  'startMs',
  'endMs',
  'attempts',
  'accountCount',
  'votes',
  'leastSure',
  'usersBefore',
  'toldSinceMs',
  'toldRevision',
  'toldRisk',
  'toldStages',
  'toldUsers',
] as const;

interface StoredAlarm {
  readonly test: number;
  readonly abuse: AbuseKind;
  readonly startMs: number;
  readonly lastMs: number;
  readonly toldHits: number;
  readonly toldClients: number;
  readonly revision: number;
  readonly silent: boolean;
  readonly toldBy: readonly [peers: number, kind: number] | null;
}

interface Stored {
  readonly kind: SubjectKind;
  readonly key: string;
  readonly firstMs: number;
  readonly numbers: readonly number[];
  readonly evidence: readonly number[];
  readonly sets: readonly number[];
  readonly alarms: readonly StoredAlarm[];
  readonly marks: readonly (readonly [StageMark, decades: number])[];
  readonly reasons: readonly Reason[];
  /** Oldest first. */
  readonly counted: readonly number[];
  readonly traceIds: readonly string[];
  readonly clients: readonly string[];
  readonly users: readonly string[];
  readonly accounts: readonly string[];
  readonly service: string;
  readonly operation: string;
  readonly client: ClientRecord | null;
}

export const fullActorToJson = (actor: FullActor): object =>
  ({
    kind: actor.kind,
    key: actor.key,
    firstMs: actor.firstMs,
    numbers: NUMBERS.map((name) => actor[name]),
    evidence: sparse(actor.cells, EVIDENCE_LENGTH),
    sets: sparse(actor.sets, SET_WORDS),
    alarms: actor.alarms.map(({ test, abuse, startMs, lastMs, toldHits, toldClients, revision, silent, toldBy }) => ({
      test,
      abuse,
      startMs,
      lastMs,
      toldHits,
      toldClients,
      revision,
      silent,
      toldBy,
    })),
    marks: actor.marks.map((mark, i) => [mark, markDecadesOf(actor, i)] as const),
    reasons: actor.reasons,
    counted: countedOf(actor),
    traceIds: actor.traceIds,
    clients: actor.clients,
    users: actor.users,
    accounts: actor.accounts,
    service: actor.service,
    operation: actor.operation,
    client: actor.client,
  }) satisfies Stored;

export function fullActorFromJson(value: unknown, cells: Float64Array, sets: Uint32Array): FullActor {
  const from = value as Stored;
  const actor = new FullActor(from.kind, from.key, cells, sets, from.firstMs, from.firstMs);
  fill(cells, from.evidence, EVIDENCE_LENGTH);
  fill(sets, from.sets, SET_WORDS);
  NUMBERS.forEach((name, i) => {
    actor[name] = from.numbers[i] ?? 0;
  });
  for (const { test, abuse, startMs, silent, toldBy, ...told } of from.alarms) {
    const alarm = Object.assign(raiseAlarm(actor, test, abuse, startMs, silent), told);
    if (toldBy != null) alarm.tellBy(...toldBy);
  }
  for (const [mark, decades] of from.marks) addMark(actor, mark, decades);
  for (const hash of from.counted) countsFinding(actor, hash);
  for (const traceId of from.traceIds) addTrace(actor, traceId);
  actor.setReasons(from.reasons);
  actor.setNames('clientList', listOf(from.clients));
  actor.setNames('userList', listOf(from.users));
  actor.setNames('accountList', listOf(from.accounts));
  actor.service = from.service;
  actor.operation = from.operation;
  if (from.client !== null) actor.setClient(from.client, from.client.user);
  return actor;
}

function countedOf({ sets }: FullActor): number[] {
  const count = sets[W.countedCount]!;
  const hashes: number[] = [];
  for (let i = Math.max(0, count - MOST_COUNTED); i < count; i++) hashes.push(sets[W.counted + (i % MOST_COUNTED)]!);
  return hashes;
}

/** Places and values of what is not 0, in turn. */
function sparse(values: Float64Array | Uint32Array, length: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < length; i++) if (values[i] !== 0) out.push(i, values[i]!);
  return out;
}

function fill(values: Float64Array | Uint32Array, from: readonly number[], length: number): void {
  for (let i = 0; i + 1 < from.length; i += 2) if (from[i]! < length) values[from[i]!] = from[i + 1]!;
}
