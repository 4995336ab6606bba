/** A cell of learning: what one log partition gave in one block of time, raw and mergeable. */

import { GROUPS } from '../../schemas/log/verdict.ts';
import { Outcome, type Segment, type SegmentSpans } from '../../traces/segment.ts';
import type { GroupValues } from '../fusion/calibration.ts';
import type { GroupLearners, GroupPartials } from '../learners.ts';
import type { LearnContext } from '../model.ts';
import { addToDistinct, createDistinct, type Distinct, mergeDistinct } from './distinct.ts';
import { createReleases, learnReleases, mergeReleases, type Releases } from './releases.ts';

/** What cross-fitting found of one segment: kept when its spans are gone. */
export interface Scored {
  readonly values: GroupValues;
  readonly familyKey: string;
  readonly entry: string;
  readonly timing: number;
  readonly parameters: number;
  /** Share of its features in state observe, by group in the order of GROUPS. */
  readonly observed: readonly number[];
  /** It has a finding that is near-certain by its kind. */
  readonly hard: boolean;
  /** What deviates, by group (recurring.ts); 0 where nothing does. */
  readonly deviations: readonly number[];
  /** The last version's own values of what recurs, by group; null where it does not (recurring.ts). */
  byVersion: readonly (number | null)[];
}

export const NOTHING_RECURS: readonly null[] = GROUPS.map(() => null);

/** A segment chosen for calibration by the hash of its identity. */
export interface Sample {
  readonly hash: number;
  readonly bucket: number;
  /** Hash of its client, 0 = unknown. */
  readonly client: number;
  /** Undefined after a restart: then `scored` stands. */
  readonly spans: SegmentSpans | undefined;
  readonly bytes: number;
  /** Hash of the labels it was learned with. */
  readonly labels: number;
  /** Nothing was learned of it: it only calibrates. */
  readonly quarantined: boolean;
  scored: Scored | undefined;
}

/** Hash of a segment's labels, 32 bits, the same in every process. */
export function labelsHash({ symbols, label, spanCount }: Segment): number {
  let hash = spanCount;
  for (let i = 0; i < spanCount; i++) hash = Math.imul(hash ^ symbols.labelHash(label[i]!), 0x9e3779b1);
  return hash;
}

export interface Cell {
  readonly partition: number;
  /** Index of its block of time, in blocks of the present width. */
  block: number;
  partials: GroupPartials;
  samples: Sample[];
  segments: number;
  /** Those of them that were counted apart. */
  quarantined: number;
  /** Those whose entry ended in an error. */
  failed: number;
  readonly releases: Releases;
  readonly buckets: Set<number>;
  readonly clients: Distinct;
  firstMs: number;
  lastMs: number;
}

export const createPartials = (learners: GroupLearners): GroupPartials => ({
  structure: learners.structure.createPartial(),
  timing: learners.timing.createPartial(),
  parameters: learners.parameters.createPartial(),
  status: learners.status.createPartial(),
});

export function mergePartials(learners: GroupLearners, into: GroupPartials, from: GroupPartials): void {
  for (const group of GROUPS) learners[group].merge(into[group], from[group]);
}

export const createCell = (learners: GroupLearners, partition: number, block: number): Cell => ({
  partition,
  block,
  partials: createPartials(learners),
  samples: [],
  segments: 0,
  quarantined: 0,
  failed: 0,
  releases: createReleases(),
  buckets: new Set(),
  clients: createDistinct(),
  firstMs: Number.POSITIVE_INFINITY,
  lastMs: Number.NEGATIVE_INFINITY,
});

export function learnInto(
  cell: Cell,
  learners: GroupLearners,
  segment: Segment,
  context: LearnContext,
  timeMs: number,
): void {
  for (const group of GROUPS) learners[group].learn(cell.partials[group], segment, context);
  cell.segments++;
  if (segment.outcome[0] === Outcome.error) cell.failed++;
  if (context.quarantined) cell.quarantined++;
  else learnReleases(cell.releases, segment, context.bucket);
  cell.buckets.add(context.bucket);
  addToDistinct(cell.clients, context.client);
  cell.firstMs = Math.min(cell.firstMs, timeMs);
  cell.lastMs = Math.max(cell.lastMs, timeMs);
}

/** Adds a cell of the same partition to another; `from` must not be used after. */
export function mergeCells(into: Cell, from: Cell, learners: GroupLearners): void {
  mergePartials(learners, into.partials, from.partials);
  into.samples = into.samples.concat(from.samples);
  into.segments += from.segments;
  into.quarantined += from.quarantined;
  into.failed += from.failed;
  mergeReleases(into.releases, from.releases);
  for (const bucket of from.buckets) into.buckets.add(bucket);
  mergeDistinct(into.clients, from.clients);
  into.firstMs = Math.min(into.firstMs, from.firstMs);
  into.lastMs = Math.max(into.lastMs, from.lastMs);
}

/** A copy of a segment's bytes that pins nothing larger than itself. */
export function keepSpans(spans: SegmentSpans, placeCount: number): SegmentSpans {
  return {
    ...spans,
    records: spans.records.map((record) => record.slice()),
    places: spans.places.slice(0, placeCount),
  };
}
