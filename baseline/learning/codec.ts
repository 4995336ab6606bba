/**
 * Learned cells as bytes, for a trainer that goes on after a restart: u32 length, JSON head, then the groups' partials.
 * Segments' bytes are not kept; what the last cross-fitting found of them is.
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import { GROUPS } from '../../schemas/log/verdict.ts';
import type { GroupLearners } from '../learners.ts';
import { type Cell, NOTHING_RECURS } from './cell.ts';
import { distinctFromForm, distinctToForm } from './distinct.ts';
import { type ReleasesForm, releasesFromForm, releasesToForm } from './releases.ts';

export interface CellFrame {
  readonly bucketMs: number;
  readonly blockBuckets: number;
  readonly keepBelow: number;
}

interface CellHead {
  readonly block: number;
  readonly segments: number;
  /** Absent in what was written before they were counted. */
  readonly quarantined?: number;
  readonly failed?: number;
  readonly releases?: ReleasesForm;
  readonly buckets: readonly number[];
  readonly clients: readonly number[];
  readonly firstMs: number;
  readonly lastMs: number;
  /** hash, bucket, values by group, family key, entry, timing and parameter similarity, share in state observe by group, hard, deviations, the last version's values of them, quarantined, hash of the client. */
  readonly scored: readonly (readonly [
    number,
    number,
    readonly number[],
    string,
    string,
    number,
    number,
    (readonly number[])?,
    boolean?,
    (readonly number[])?,
    (readonly (number | null)[])?,
    boolean?,
    number?,
  ])[];
  /** Byte lengths of the partials in the order of GROUPS. */
  readonly lengths: readonly number[];
}

interface Head {
  readonly schema: number;
  readonly frame: CellFrame;
  readonly cells: readonly CellHead[];
}

const SCHEMA = 1;

/** A cell a step: the cells must not change between them. */
export function* encodingCells(
  cells: readonly Cell[],
  frame: CellFrame,
  learners: GroupLearners,
): Generator<void, Uint8Array> {
  const parts: Uint8Array[] = [];
  const heads: CellHead[] = [];
  for (const cell of [...cells].sort((a, b) => a.block - b.block)) {
    const partials = GROUPS.map((group) => learners[group].encode(cell.partials[group]));
    parts.push(...partials);
    heads.push({
      block: cell.block,
      segments: cell.segments,
      quarantined: cell.quarantined,
      failed: cell.failed,
      releases: releasesToForm(cell.releases),
      buckets: [...cell.buckets].sort((a, b) => a - b),
      clients: distinctToForm(cell.clients),
      firstMs: cell.firstMs,
      lastMs: cell.lastMs,
      scored: cell.samples.flatMap(({ hash, bucket, client, quarantined, scored: s }) => {
        if (s === undefined) return [];
        const { familyKey, entry, timing, parameters, observed, hard, deviations, byVersion } = s;
        const own = [deviations, byVersion, quarantined, client] as const;
        return [[hash, bucket, [...s.values], familyKey, entry, timing, parameters, observed, hard, ...own] as const];
      }),
      lengths: partials.map((bytes) => bytes.length),
    });
    yield;
  }
  const head = new TextEncoder().encode(JSON.stringify({ schema: SCHEMA, frame, cells: heads } satisfies Head));
  const total = 4 + head.length + parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(total);
  new DataView(bytes.buffer).setUint32(0, head.length);
  bytes.set(head, 4);
  let at = 4 + head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function decodeCells(
  bytes: Uint8Array,
  partition: number,
  learners: GroupLearners,
): { readonly frame: CellFrame; readonly cells: readonly Cell[] } {
  const head = readHead(bytes);
  let at = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  const next = (length: number): Uint8Array => {
    if (at + length > bytes.length) throw new SpanwardenError('BASELINE_DAMAGED', 'learned state ends early');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const cells = head.cells.map((cell): Cell => {
    const [structure, timing, parameters, status] = cell.lengths.map(next);
    return {
      partition,
      block: cell.block,
      segments: cell.segments,
      quarantined: cell.quarantined ?? 0,
      failed: cell.failed ?? 0,
      releases: releasesFromForm(cell.releases ?? []),
      buckets: new Set(cell.buckets),
      clients: distinctFromForm(cell.clients),
      firstMs: cell.firstMs ?? Number.POSITIVE_INFINITY,
      lastMs: cell.lastMs ?? Number.NEGATIVE_INFINITY,
      partials: {
        structure: learners.structure.decode(structure!),
        timing: learners.timing.decode(timing!),
        parameters: learners.parameters.decode(parameters!),
        status: learners.status.decode(status!),
      },
      samples: cell.scored.map(
        ([
          hash,
          bucket,
          values,
          familyKey,
          entry,
          timingSimilarity,
          parameterSimilarity,
          observed,
          hard,
          deviations,
          byVersion,
          quarantined,
          client,
        ]) => ({
          hash,
          bucket,
          client: client ?? 0,
          spans: undefined,
          bytes: 0,
          labels: 0,
          quarantined: quarantined ?? false,
          scored: {
            values: Float64Array.from(values),
            familyKey,
            entry,
            timing: timingSimilarity,
            parameters: parameterSimilarity,
            observed: observed ?? GROUPS.map(() => 0),
            hard: hard ?? false,
            deviations: deviations ?? GROUPS.map(() => 0),
            byVersion: byVersion ?? NOTHING_RECURS,
          },
        }),
      ),
    };
  });
  return { frame: head.frame, cells };
}

function readHead(bytes: Uint8Array): Head {
  try {
    const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length))) as Head;
    if (head.schema === SCHEMA) return head;
    throw new SpanwardenError('BASELINE_SCHEMA', `learned state has schema ${head.schema}, this is ${SCHEMA}`);
  } catch (error) {
    if (error instanceof SpanwardenError) throw error;
    throw new SpanwardenError('BASELINE_DAMAGED', 'learned state could not be read', { cause: error });
  }
}
