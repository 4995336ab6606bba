/**
 * The manifest of a version that comes from elsewhere, checked before anything is done with it: what it says has the types that
 * it must have, and the id that it claims is that of its content, so that no file can pass for a version that it is not.
 */
import { z } from 'zod';
import { SpanwardenError } from '../../runtime/errors.ts';
import { checkSchema, VERSION_SCHEMA, type VersionEntry, versionId } from './version.ts';

const count = z.number().min(0);
const text = z.string().max(64);

const manifest = z.looseObject({
  version: z.string().regex(/^[0-9a-f]{16}$/),
  parent: text,
  createdMs: count,
  offsets: z.array(count),
  segments: count,
  clients: count,
  buckets: count,
  bucketMs: count,
  segmentsPerDay: count,
  calibrated: count,
  profile: text,
  alpha: z.number().gt(0).lt(1),
  alerting: z.boolean(),
  alerted: z.boolean().exactOptional(),
  learning: z.array(z.string()),
  schema: z.number(),
  kind: z.enum(['learned', 'edited', 'rolled-back', 'imported']).exactOptional(),
  source: text.exactOptional(),
  held: z.boolean().exactOptional(),
  counters: text.exactOptional(),
  request: z.string().exactOptional(),
  foreign: z.boolean().exactOptional(),
  keyId: text.exactOptional(),
  quarantined: count.exactOptional(),
  maturity: z.strictObject({ observe: count, learning: count, active: count }).exactOptional(),
});
export type CheckedManifest = z.infer<typeof manifest>;

/** Throws BASELINE_SCHEMA for another schema's, BASELINE_DAMAGED where it is malformed or the entries are not those of its id. */
export function checkManifest(entries: readonly VersionEntry[]): CheckedManifest {
  const [entry, ...more] = entries.filter(({ group }) => group === 'manifest');
  if (entry === undefined || more.length > 0) throw damaged('it has not one manifest');
  const given = parse(entry.value);
  checkSchema(given.schema ?? 1);
  const checked = manifest.safeParse(given);
  if (!checked.success) throw damaged(`its manifest is malformed: ${z.prettifyError(checked.error)}`);
  const { version, ...facts } = given;
  const content = entries.filter((one) => one !== entry);
  if (versionId(VERSION_SCHEMA, facts, content) !== version) throw damaged(`its content is not that of ${version}`);
  return checked.data;
}

function parse(value: string): Readonly<Record<string, unknown>> {
  let given: unknown;
  try {
    given = JSON.parse(value);
  } catch (error) {
    throw damaged('its manifest is no JSON', error);
  }
  if (given === null || typeof given !== 'object' || Array.isArray(given)) throw damaged('its manifest is no object');
  return given as Readonly<Record<string, unknown>>;
}

const damaged = (why: string, cause?: unknown): SpanwardenError =>
  new SpanwardenError('BASELINE_DAMAGED', `the baseline is damaged: ${why}`, { cause });
