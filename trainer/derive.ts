/**
 * Versions that are not learned: an older one made current again, one learned elsewhere, or the present one under other edits.
 * They have the models and the calibration of their source, operators' present edits, and the counters of the version that the
 * trainer would go on from anyway. Pure.
 */
import type { BaselineManifest } from '../baseline/baseline.ts';
import type { BaselineEntry } from '../baseline/model.ts';
import { levelsFromEntries, levelsToEntries } from '../baseline/templates.ts';
import { VERSION_SCHEMA, versionId } from '../schemas/baselines/version.ts';
import { levelKey, type TemplateLevel } from '../traces/operations/learned-templates.ts';
import type { StoredEntries } from './store.ts';

export interface Derivation {
  readonly kind: 'edited' | 'rolled-back' | 'imported';
  /** Whose models and calibration it has. */
  readonly source: StoredEntries;
  readonly edits: readonly BaselineEntry[];
  /** The version it follows; null for the first of all. */
  readonly current: BaselineManifest | null;
  readonly held: boolean;
  /** It has counters of its own; else those of the present version. */
  readonly ownCounters: boolean;
  /** Request that it answers, '' for none. */
  readonly request: string;
  /** Present path templates of the trainer: what it learns with stays `coming` where the source reads without. */
  readonly levels: readonly TemplateLevel[];
  /** Stream time, milliseconds since the epoch. */
  readonly nowMs: number;
  readonly partitions: number;
}

/** All entries of the version, its manifest among them. */
export function deriveVersion(given: Derivation): BaselineEntry[] {
  const { kind, source, current, nowMs } = given;
  const { version: sourceVersion, ...facts } = source.manifest;
  const createdMs = Math.max((current?.createdMs ?? -1) + 1, nowMs);
  const manifest: Omit<BaselineManifest, 'version'> = {
    ...facts,
    parent: current?.version ?? '',
    createdMs,
    offsets: current?.offsets ?? Array.from({ length: given.partitions }, () => 0),
    kind,
    source: sourceVersion === current?.version ? (facts.source ?? sourceVersion) : sourceVersion,
    held: given.held,
    counters: current === null || given.ownCounters ? '' : countersOf(current),
    request: given.request,
    foreign: kind === 'imported' || facts.foreign === true,
  };
  const content = [
    ...source.entries.filter(({ group }) => group !== 'manifest' && group !== 'edits' && group !== 'templates'),
    ...templatesOf(given, createdMs),
    ...given.edits,
  ];
  const version = versionId(VERSION_SCHEMA, manifest, content);
  const text = JSON.stringify({ version, ...manifest } satisfies BaselineManifest);
  return [{ group: 'manifest', kind: 'manifest', key: 'manifest', value: text }, ...content];
}

/** The version whose counters a trainer goes on from that stands at `manifest`. */
export const countersOf = ({ version, counters }: BaselineManifest): string =>
  counters === undefined || counters === '' ? version : counters;

/** The source's path templates, and what the trainer learns with beside them. */
function templatesOf({ source, levels }: Derivation, sinceMs: number): BaselineEntry[] {
  const own = levelsFromEntries(source.entries);
  const known = new Set([...own.levels, ...own.coming].map(levelKey));
  const more = levels.filter((level) => !known.has(levelKey(level))).map((level) => ({ ...level, sinceMs }));
  return levelsToEntries({ levels: own.levels, coming: [...own.coming, ...more] });
}
