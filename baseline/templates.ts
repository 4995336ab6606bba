/**
 * Path templates as a version's entries, one line a collapsed level. `level`: what a segment judged by the version is read
 * with, and what the version was learned with. `coming`: found later; what comes after the version is learned with these
 * too, and a next version has them as levels once it could admit the labels that they make. So no version judges by labels
 * that it had no chance to learn.
 */
import { SpanwardenError } from '../runtime/errors.ts';
import { levelKey, type TemplateLevel } from '../traces/operations/learned-templates.ts';
import type { BaselineEntry } from './model.ts';

export interface ComingLevel extends TemplateLevel {
  /** Append time from which on segments are learned with it. */
  readonly sinceMs: number;
}

export interface VersionLevels {
  readonly levels: readonly TemplateLevel[];
  readonly coming: readonly ComingLevel[];
}

export function levelsToEntries({ levels, coming }: VersionLevels): BaselineEntry[] {
  const entry = (
    kind: 'level' | 'coming',
    level: TemplateLevel,
    since: { readonly sinceMs?: number },
  ): BaselineEntry => ({
    group: 'templates',
    kind,
    key: levelKey(level),
    value: JSON.stringify({
      service: level.service,
      prefix: level.prefix,
      literals: level.literals,
      distinct: level.distinct,
      count: level.count,
      ...since,
    }),
  });
  const sorted = <L extends TemplateLevel>(some: readonly L[]): L[] =>
    [...some].sort((a, b) => (levelKey(a) < levelKey(b) ? -1 : 1));
  return [
    ...sorted(levels).map((level) => entry('level', level, {})),
    ...sorted(coming).map((level) => entry('coming', level, { sinceMs: level.sinceMs })),
  ];
}

/** Entries of other groups are passed over. Throws BASELINE_DAMAGED. */
export function levelsFromEntries(entries: Iterable<BaselineEntry>): VersionLevels {
  const levels: TemplateLevel[] = [];
  const coming: ComingLevel[] = [];
  for (const entry of entries) {
    if (entry.group !== 'templates') continue;
    if (entry.kind === 'level') levels.push(parse(entry));
    else if (entry.kind === 'coming') coming.push(parse(entry));
  }
  return { levels, coming };
}

function parse({ key, value }: BaselineEntry): ComingLevel {
  const isTexts = (texts: unknown): texts is string[] =>
    Array.isArray(texts) && texts.every((text) => typeof text === 'string');
  let read: Partial<Record<keyof ComingLevel, unknown>> | null;
  try {
    read = JSON.parse(value) as typeof read;
  } catch (cause) {
    throw new SpanwardenError('BASELINE_DAMAGED', `path template ${key} cannot be read`, { cause });
  }
  if (typeof read?.service !== 'string' || !isTexts(read.prefix) || !isTexts(read.literals)) {
    throw new SpanwardenError('BASELINE_DAMAGED', `path template ${key} cannot be read`);
  }
  return {
    service: read.service,
    prefix: read.prefix,
    literals: read.literals,
    distinct: Number(read.distinct ?? 0),
    count: Number(read.count ?? 0),
    sinceMs: Number(read.sinceMs ?? 0),
  };
}
