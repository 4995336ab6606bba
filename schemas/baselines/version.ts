/**
 * The version file: JSON lines. First the head (format, schema, manifest), then one entry a line, last a line with the
 * number of entries and the SHA-256 of all lines before it. Text only; the caller reads, writes and compresses.
 */
import { createHash } from 'node:crypto';
import { SpanwardenError } from '../../runtime/errors.ts';

export const VERSION_FORMAT = 'spanwarden-baseline';
/**
 * Raised when a reader of the number before could not load the entries. 1: up to 0.2. 2: order of calls, pooled novelties, versions of
 * services, operators' edits. There is no way from 1 to 2: what 2 counts was not counted.
 */
export const VERSION_SCHEMA = 2;

/** The form of baseline/model.ts BaselineEntry. */
export interface VersionEntry {
  readonly group: string;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

/** 16 hex digits over the schema, the manifest's facts and the entries in any order: equal content, equal version. */
export function versionId(schema: number, facts: unknown, entries: Iterable<VersionEntry>): string {
  const hash = createHash('sha256');
  hash.update(`${schema}\n${JSON.stringify(facts)}\n`);
  for (const line of Array.from(entries, entryLine).sort()) hash.update(`${line}\n`);
  return hash.digest('hex').slice(0, 16);
}

const entryLine = (entry: VersionEntry): string => JSON.stringify([entry.group, entry.kind, entry.key, entry.value]);

/** Lines of the file, each with its line end. */
export function* writeVersion(entries: Iterable<VersionEntry>): Generator<string> {
  const hash = createHash('sha256');
  const sealed = (line: string): string => {
    hash.update(line);
    return line;
  };
  yield sealed(`${JSON.stringify({ format: VERSION_FORMAT, schema: VERSION_SCHEMA })}\n`);
  let count = 0;
  for (const entry of entries) {
    count++;
    yield sealed(`${entryLine(entry)}\n`);
  }
  yield `${JSON.stringify({ end: VERSION_FORMAT, entries: count, sha256: hash.digest('hex') })}\n`;
}

/** Takes a file line by line (without line ends); `entries` are to be trusted only after `finish`. */
export interface VersionReader<E extends VersionEntry = VersionEntry> {
  /** Throws BASELINE_SCHEMA for another schema, BASELINE_DAMAGED for anything else that is no version file. */
  line(text: string): void;
  /** The entries of a file that is complete and unaltered, none where another took them. Throws BASELINE_DAMAGED. */
  finish(): E[];
}

/** `take`: gets each entry as it comes, instead of all of them being held. */
export function createVersionReader<E extends VersionEntry = VersionEntry>(
  take?: (entry: E) => void,
): VersionReader<E> {
  const hash = createHash('sha256');
  const entries: E[] = [];
  let count = 0;
  let state: 'head' | 'entries' | 'sealed' = 'head';
  return {
    line(text) {
      if (state === 'sealed') {
        if (text !== '') throw damaged('there is text after its last line');
        return;
      }
      const value = parse(text);
      if (state === 'head') {
        checkHead(value);
        state = 'entries';
      } else if (Array.isArray(value)) {
        const [group, kind, key, content] = value as unknown[];
        if (![group, kind, key, content].every((part) => typeof part === 'string'))
          throw damaged('an entry is malformed');
        const entry = { group, kind, key, value: content } as E;
        count++;
        if (take === undefined) entries.push(entry);
        else take(entry);
      } else {
        const end = value as { end?: unknown; entries?: unknown; sha256?: unknown };
        if (end.end !== VERSION_FORMAT) throw damaged('a line is neither entry nor end');
        if (end.entries !== count) {
          throw damaged(`it has ${count} entries where ${String(end.entries)} were written`);
        }
        if (end.sha256 !== hash.digest('hex')) throw damaged('its checksum does not match');
        state = 'sealed';
        return;
      }
      hash.update(`${text}\n`);
    },
    finish() {
      if (state !== 'sealed') throw damaged('it ends early');
      return entries;
    },
  };
}

const damaged = (why: string, cause?: unknown): SpanwardenError =>
  new SpanwardenError('BASELINE_DAMAGED', `the baseline is damaged: ${why}`, { cause });

/** Throws BASELINE_SCHEMA, naming both, where it is not the one that is read here. */
export function checkSchema(schema: unknown): void {
  if (schema === VERSION_SCHEMA) return;
  throw new SpanwardenError(
    'BASELINE_SCHEMA',
    `the baseline has schema ${String(schema)}, this version of Spanwarden reads schema ${VERSION_SCHEMA}: it must be learned anew`,
  );
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw damaged('a line is no JSON', error);
  }
}

function checkHead(value: unknown): void {
  const head = value as { format?: unknown; schema?: unknown } | null;
  if (head === null || typeof head !== 'object' || head.format !== VERSION_FORMAT)
    throw damaged('it does not begin as one');
  checkSchema(head.schema);
}
