/** What operators ask of the trainer, in rows; and the entries of a baseline that is to be imported. */
import { checkManifest } from '../../schemas/baselines/manifest.ts';
import type {
  AnsweredRequest,
  BaselineAnswer,
  BaselineAnswerState,
  BaselineRequest,
} from '../../schemas/baselines/request.ts';
import type { VersionEntry } from '../../schemas/baselines/version.ts';
import { SpanwardenError } from '../errors.ts';
import type { ClickHouse } from './client.ts';
import { dateTime, insertRows, queryRows, table } from './statements.ts';
import { insertEntries } from './stored-versions.ts';

const rowOf = (request: BaselineRequest, answer: BaselineAnswer, revision: number): object => ({
  id: request.id,
  revision,
  kind: request.kind,
  version: request.version,
  force: request.force,
  forget: request.forget,
  manifest: request.manifest,
  by: request.by,
  comment: request.comment,
  asked: dateTime(request.atMs),
  state: answer.state,
  message: answer.message,
  result: answer.result,
  answered: dateTime(answer.atMs),
});

/** Asks; the same id again changes nothing. */
export const insertRequest = (clickhouse: ClickHouse, request: BaselineRequest): Promise<void> =>
  insertRows(clickhouse, 'baseline_requests', [
    rowOf(request, { state: 'open', message: '', result: '', atMs: request.atMs }, 0),
  ]);

/** The trainer's answer; a later one stands. */
export const answerRequest = (
  clickhouse: ClickHouse,
  request: BaselineRequest,
  answer: BaselineAnswer,
): Promise<void> =>
  insertRows(clickhouse, 'baseline_requests', [rowOf(request, answer, Math.max(1, Math.round(answer.atMs)))]);

export interface RequestFilter {
  /** Only those that still wait for an answer. */
  readonly pending?: boolean;
  readonly limit?: number;
}

type RequestRow = Omit<AnsweredRequest, 'answer' | 'atMs'> & {
  atMs: string;
  state: BaselineAnswerState;
  message: string;
  result: string;
  answeredMs: string;
};

/** Requests with their answers: pending ones oldest first, else newest first. */
export async function readRequests(clickhouse: ClickHouse, filter: RequestFilter = {}): Promise<AnsweredRequest[]> {
  const pending = filter.pending === true;
  const rows = await queryRows<RequestRow>(
    clickhouse,
    'requests about the baseline',
    `SELECT id, kind, version, force, forget, manifest, by, comment, toString(toUnixTimestamp64Milli(asked)) AS atMs, state, message,
       result, toString(toUnixTimestamp64Milli(answered)) AS answeredMs
     FROM (SELECT * FROM ${table(clickhouse, 'baseline_requests')} FINAL)
     ${pending ? `WHERE state IN ('open', 'confirming')` : ''}
     ORDER BY asked ${pending ? 'ASC' : 'DESC'}, id LIMIT {limit:UInt32}`,
    { limit: filter.limit ?? 100 },
  );
  return rows.map(({ state, message, result, answeredMs, atMs, ...request }) => ({
    ...request,
    atMs: Number(atMs),
    answer: { state, message, result, atMs: Number(answeredMs) },
  }));
}

/**
 * Entries of a baseline that was learned elsewhere, under its id, before the import is asked for. It is no version of this
 * system: it has no row among the versions until the trainer makes one of it. Throws BASELINE_DAMAGED where the id is not that of
 * the entries: under an id that is stored already, other entries would stand instead of its own.
 */
export async function insertImported(
  clickhouse: ClickHouse,
  version: string,
  entries: Iterable<VersionEntry>,
  nowMs: number,
): Promise<void> {
  const given = [...entries];
  const { version: own } = checkManifest(given);
  if (own !== version) throw new SpanwardenError('BASELINE_DAMAGED', `the baseline is ${own}, not ${version}`);
  await insertEntries(
    clickhouse,
    version,
    dateTime(nowMs),
    given.map((entry) => ({ ...entry, deleted: false })),
  );
}
