/**
 * Path templates as a version's entries, one line a collapsed level. `level`: what a segment judged by the version is read
 * with, and what the version was learned with. `coming`: found since; what comes after the version is learned with these
 * too, and the next version has them as levels. So a label is never judged by a version that had no chance to learn it.
 */
import { SpanwardenError } from '../runtime/errors.ts';
import { levelKey, type TemplateLevel } from '../traces/operations/learned-templates.ts';
import type { BaselineEntry } from './model.ts';

export interface VersionLevels {
  readonly levels: readonly TemplateLevel[];
  readonly coming: readonly TemplateLevel[];
}

export function levelsToEntries({ levels, coming }: VersionLevels): BaselineEntry[] {
  const entry = (kind: 'level' | 'coming', level: TemplateLevel): BaselineEntry => ({
    group: 'templates',
    kind,
    key: levelKey(level),
    value: JSON.stringify({
      service: level.service,
      prefix: level.prefix,
      literals: level.literals,
      distinct: level.distinct,
      count: level.count,
    }),
  });
  const taken = new Set(levels.map(levelKey));
  return [
    ...levels.map((level) => entry('level', level)),
    ...coming.filter((level) => !taken.has(levelKey(level))).map((level) => entry('coming', level)),
  ];
}

/** Entries of other groups are passed over. Throws BASELINE_DAMAGED. */
export function levelsFromEntries(entries: Iterable<BaselineEntry>): VersionLevels {
  const levels: TemplateLevel[] = [];
  const coming: TemplateLevel[] = [];
  for (const entry of entries) {
    if (entry.group !== 'templates') continue;
    if (entry.kind === 'level') levels.push(parse(entry));
    else if (entry.kind === 'coming') coming.push(parse(entry));
  }
  return { levels, coming };
}

function parse({ key, value }: BaselineEntry): TemplateLevel {
  const isTexts = (texts: unknown): texts is string[] =>
    Array.isArray(texts) && texts.every((text) => typeof text === 'string');
  let read: Partial<Record<keyof TemplateLevel, unknown>> | null;
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
  };
}
