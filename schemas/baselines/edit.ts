/**
 * An operator's edit: a versioned document over the baseline (DETECTION §8). Each revision is an event that is kept; `retired`
 * ends one. The documents in force when a version is cut are part of it, so a verdict stays a function of segment and version.
 */
import { z } from 'zod';
import { FINDING_KINDS } from '../log/verdict.ts';

export const EDIT_STATES = ['learning', 'approved', 'pinned', 'blocked', 'retired'] as const;
/**
 * `learning`: a draft, without effect. `approved`: what it names is normal too: it takes findings away and makes none.
 * `pinned`: what it says stands instead of what was learned: it takes findings away and makes them where it is broken.
 * `blocked`: what it names is forbidden. `retired`: ended.
 */
export type EditState = (typeof EDIT_STATES)[number];

const MAX_CLAUSES = 200;
const text = (max = 1_024) => z.string().min(1).max(max);

/** A call: a service's operation, or any of the service. */
const call = z.strictObject({ service: text(256), operation: text().exactOptional() });
export type Call = z.infer<typeof call>;

/** What no approval covers: shifts over many requests, notices, and operators' own blocks. */
const approvable = z
  .enum(FINDING_KINDS)
  .exclude(['collective', 'trace-id-reused', 'missing-telemetry', 'blocked', 'actor', 'attribution']);

/** A novelty by its explanation key (DETECTION §6), where named only at this service and operation. */
const novelty = z.strictObject({
  kind: approvable,
  explanationKey: text(2_048),
  service: text(256).exactOptional(),
  operation: text().exactOptional(),
});
export type Novelty = z.infer<typeof novelty>;

/** What can be approved: findings over many requests are no version's. */
export const APPROVABLE: readonly string[] = approvable.options;

const edge = z.strictObject({ parent: call, child: call });

/** The type lattice of parameter profiles (baseline/parameters/features.ts), in its order. */
export const PARAMETER_TYPES = [
  'empty',
  'integer',
  'decimal',
  'boolean',
  'uuid',
  'hex',
  'date',
  'email',
  'ip',
  'url',
  'path',
  'word',
  'words',
  'identifier',
  'token',
  'json',
  'text',
  'binary',
] as const;

const similarity = z.number().min(0).max(0.999);
const list = <T extends z.ZodType>(item: T) => z.array(item).max(MAX_CLAUSES).default([]);

const clauses = {
  /** Where it holds: requests that enter by this operation; everywhere without. */
  entry: text().exactOptional(),
  /** … and only those of this signature: its key in the baseline (`service server operation #key`). */
  signature: text(2_048).exactOptional(),
  approve: list(novelty),
  /** A child that must be called by a parent that succeeds. */
  required: list(edge),
  /** A child that may be left out: no learned rule asks for it. */
  optional: list(edge),
  /** A call that must not be made, by anybody or by this parent. */
  forbidden: list(z.strictObject({ parent: call.exactOptional(), child: call })),
  /** How often a parent may call a child. */
  counts: list(
    edge.extend({
      min: z.number().int().min(0).max(1_000_000).exactOptional(),
      max: z.number().int().min(0).max(1_000_000).exactOptional(),
    }),
  ),
  /** Under a parent, the first `after` begins once a `before` has begun. */
  order: list(z.strictObject({ parent: call, before: call, after: call })),
  /** How long a call may take, milliseconds: instead of what was learned. */
  latency: list(
    z.strictObject({
      call,
      minMs: z.number().min(0).max(86_400_000).exactOptional(),
      maxMs: z.number().min(0).max(86_400_000),
    }),
  ),
  /** What a parameter may be: shapes only, never a value. */
  parameters: list(
    z.strictObject({
      call,
      name: text(256),
      types: z.array(z.enum(PARAMETER_TYPES)).min(1).exactOptional(),
      minLength: z.number().int().min(0).max(1_000_000).exactOptional(),
      maxLength: z.number().int().min(0).max(1_000_000).exactOptional(),
    }),
  ),
  /** Similarity thresholds of the families of `entry`, of all without. */
  thresholds: z
    .strictObject({
      structure: similarity.exactOptional(),
      timing: similarity.exactOptional(),
      parameters: similarity.exactOptional(),
    })
    .default({}),
};

const about = {
  owner: z.string().max(256).default(''),
  /** No longer in force from this time on, milliseconds since the epoch; null = never ends. */
  expiresMs: z.number().int().min(0).nullable().default(null),
  comment: z.string().max(4_096).default(''),
};

/** Clauses that only an enforcing state can mean. */
function checkState(edit: EditBody, context: z.core.$RefinementCtx<EditBody>): void {
  const say = (message: string, path: string): void => void context.addIssue({ code: 'custom', message, path: [path] });
  const enforcing = edit.required.length + edit.forbidden.length + edit.order.length;
  if (edit.state === 'approved' && enforcing > 0)
    say('required, forbidden and order need state pinned or blocked: approved takes findings away only', 'state');
  if (edit.state === 'blocked' && edit.forbidden.length === 0 && edit.signature === undefined)
    say('blocked needs a signature or forbidden calls', 'forbidden');
  for (const [i, { min, max }] of edit.counts.entries())
    if ((min === undefined && max === undefined) || (min ?? 0) > (max ?? Number.POSITIVE_INFINITY))
      say(`counts[${i}] needs min or max, min not above max`, 'counts');
  for (const [i, { minLength, maxLength, types }] of edit.parameters.entries())
    if (minLength === undefined && maxLength === undefined && types === undefined)
      say(`parameters[${i}] says nothing of the parameter`, 'parameters');
  if (edit.state !== 'retired' && isEmpty(edit)) say('it says nothing: name at least one clause', 'state');
}

const isEmpty = (edit: EditBody): boolean =>
  edit.approve.length +
    edit.required.length +
    edit.optional.length +
    edit.forbidden.length +
    edit.counts.length +
    edit.order.length +
    edit.latency.length +
    edit.parameters.length +
    Object.keys(edit.thresholds).length ===
    0 && edit.signature === undefined;

const bodyShape = z.strictObject({ state: z.enum(EDIT_STATES), ...about, ...clauses });
/** What somebody writes: the edit without what makes it an event. */
export type EditBody = z.infer<typeof bodyShape>;
export const editBody = bodyShape.superRefine(checkState);
/** As it is written: defaults may be left out. */
export type EditInput = z.input<typeof bodyShape>;

export const editDocument = bodyShape.extend({
  id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** 1, 2, …: grows with every change. */
  revision: z.number().int().min(1),
  /** The revision that it replaces, 0 for the first. */
  supersedes: z.number().int().min(0),
  by: z.string().max(256),
  atMs: z.number().int().min(0),
});
export type EditDocument = z.infer<typeof editDocument>;

/** Of each id the newest revision, ended ones left out: what a version cut at `atMs` is made with. Ordered by id. */
export function editsInForce(documents: Iterable<EditDocument>, atMs: number): EditDocument[] {
  const newest = new Map<string, EditDocument>();
  for (const document of documents) {
    if (document.revision > (newest.get(document.id)?.revision ?? 0)) newest.set(document.id, document);
  }
  return [...newest.values()]
    .filter(({ state, expiresMs }) => state !== 'retired' && state !== 'learning' && (expiresMs ?? atMs + 1) > atMs)
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** When the set in force changes next by itself; Infinity when never. */
export const nextExpiryMs = (documents: Iterable<EditDocument>, atMs: number): number =>
  editsInForce(documents, atMs).reduce(
    (least, { expiresMs }) => Math.min(least, expiresMs ?? least),
    Number.POSITIVE_INFINITY,
  );
