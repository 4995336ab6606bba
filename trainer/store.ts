/** What the trainer keeps, and where operators' wishes come from. */
import type { Baseline, BaselineManifest } from '../baseline/baseline.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import type { AnsweredRequest, BaselineAnswer, BaselineRequest } from '../schemas/baselines/request.ts';

export interface TrainerStore {
  /** Everything of the version becomes durable; the same version twice changes nothing. */
  insertVersion(
    baseline: Baseline,
    previous: readonly BaselineEntry[],
    partials: ReadonlyMap<number, Uint8Array>,
    paths: ReadonlyMap<number, Uint8Array>,
  ): Promise<void>;
  /** The newest published version with its entries and the partials of its partitions; null before the first. */
  latestVersion(): Promise<PublishedVersion | null>;
}

export interface PublishedVersion {
  readonly baseline: Baseline;
  readonly entries: readonly BaselineEntry[];
  readonly partials: ReadonlyMap<number, Uint8Array>;
  /** Paths that templates are learned from, by partition. */
  readonly paths: ReadonlyMap<number, Uint8Array>;
}

/** Requests about the baseline, and the versions that they name. Rejects retryably while the store is away. */
export interface RequestStore {
  /** Those without an answer that ends them, the oldest first. */
  pending(): Promise<readonly AnsweredRequest[]>;
  answer(request: BaselineRequest, answer: BaselineAnswer): Promise<void>;
  /** Version made for a request, '' when there is none. */
  madeFor(requestId: string): Promise<string>;
  /** A version of this system. Throws BASELINE_UNKNOWN, BASELINE_DAMAGED. */
  loadVersion(version: string): Promise<StoredEntries>;
  /** Entries that were stored for an import, with the manifest that came with them. */
  loadImported(version: string): Promise<readonly BaselineEntry[]>;
}

export interface StoredEntries {
  readonly manifest: BaselineManifest;
  readonly entries: readonly BaselineEntry[];
}
