/** An edit out of a command line. */
import type { EditInput, EditState } from '../../schemas/baselines/edit.ts';
import { UsageError } from '../command.ts';

/** Options that are clauses; all but `entry` and `signature` may be given several times. */
export const CLAUSE_OPTIONS = {
  entry: { type: 'string' },
  signature: { type: 'string' },
  require: { type: 'string', multiple: true },
  optional: { type: 'string', multiple: true },
  forbid: { type: 'string', multiple: true },
  count: { type: 'string', multiple: true },
  order: { type: 'string', multiple: true },
  latency: { type: 'string', multiple: true },
  parameter: { type: 'string', multiple: true },
  structure: { type: 'string' },
  timing: { type: 'string' },
  parameters: { type: 'string' },
  owner: { type: 'string' },
  expires: { type: 'string' },
  comment: { type: 'string' },
} as const;

export interface ClauseValues {
  readonly entry?: string | undefined;
  readonly signature?: string | undefined;
  readonly require?: string[] | undefined;
  readonly optional?: string[] | undefined;
  readonly forbid?: string[] | undefined;
  readonly count?: string[] | undefined;
  readonly order?: string[] | undefined;
  readonly latency?: string[] | undefined;
  readonly parameter?: string[] | undefined;
  readonly structure?: string | undefined;
  readonly timing?: string | undefined;
  readonly parameters?: string | undefined;
  readonly owner?: string | undefined;
  readonly expires?: string | undefined;
  readonly comment?: string | undefined;
}

type CallInput = { service: string; operation?: string };

/** `orders POST /orders`, or a service alone. */
function callOf(text: string): CallInput {
  const trimmed = text.trim();
  const space = trimmed.indexOf(' ');
  if (trimmed === '') throw new UsageError("a call is 'SERVICE OPERATION' or 'SERVICE'");
  return space < 0
    ? { service: trimmed }
    : { service: trimmed.slice(0, space), operation: trimmed.slice(space + 1).trim() };
}

const ARROW = /\s*(?:->|→)\s*/;

/** `CALL -> CALL`, so many of them. */
function calls(option: string, text: string, count: number): CallInput[] {
  const found = text.split(ARROW).map(callOf);
  if (found.length !== count)
    throw new UsageError(
      `--${option} takes ${Array.from({ length: count }, () => 'CALL').join(" '->' ")}, not '${text}'`,
    );
  return found;
}

/** `TEXT = RANGE`: `2..5`, `..5`, `2..`, or one number for both. */
function ranged(option: string, text: string): { readonly text: string; readonly min?: number; readonly max?: number } {
  const [, rest, from, dots, to] = /^(.*)=\s*(\d+(?:\.\d+)?)?\s*(\.\.)?\s*(\d+(?:\.\d+)?)?\s*$/.exec(text) ?? [];
  if (rest === undefined || (from === undefined && to === undefined))
    throw new UsageError(`--${option} ends with '= MIN..MAX', '= ..MAX' or '= MIN..', not '${text}'`);
  const max = dots === undefined ? from : to;
  return {
    text: rest.trim(),
    ...(from !== undefined && { min: Number(from) }),
    ...(max !== undefined && { max: Number(max) }),
  };
}

function parameterOf(text: string): NonNullable<EditInput['parameters']>[number] {
  const [place, shape] = text.split(/\s*=\s*/);
  const [call, name] = place?.split(' · ').length === 2 ? place.split(' · ') : (place ?? '').split(/\s+(?=\S+$)/);
  if (call === undefined || name === undefined || shape === undefined)
    throw new UsageError(`--parameter takes 'CALL NAME = TYPE[,TYPE…][:MIN..MAX]', not '${text}'`);
  const [types, lengths] = shape.split(':');
  const { min, max } = lengths === undefined ? {} : ranged('parameter', `x=${lengths}`);
  return {
    call: callOf(call),
    name,
    ...(types !== undefined && types !== '' && types !== '*' && { types: types.split(',') as never }),
    ...(min !== undefined && { minLength: min }),
    ...(max !== undefined && { maxLength: max }),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `30d`, `12h`, or a date; null = never. */
export function expiryOf(text: string | undefined, nowMs: number): number | null {
  if (text === undefined || text === 'never') return null;
  const [, count, unit] = /^(\d+)([mhdw])$/.exec(text) ?? [];
  const ms = count === undefined ? Date.parse(text) : nowMs + Number(count) * UNIT_MS[unit!]!;
  if (!Number.isFinite(ms)) throw new UsageError(`--expires takes 30m, 12h, 30d, 4w, a date or never, not '${text}'`);
  return ms;
}

/** A document with what the command line gives beside it; its clauses stay its own. */
export function withGiven(document: EditInput, values: ClauseValues, nowMs: number): EditInput {
  const { owner, expires, comment, ...clauses } = values;
  const other = Object.keys(CLAUSE_OPTIONS).find((name) => clauses[name as keyof typeof clauses] !== undefined);
  if (other !== undefined) throw new UsageError(`--${other} cannot be given with a file: say it there`);
  return {
    ...document,
    ...(owner !== undefined && { owner }),
    ...(expires !== undefined && { expiresMs: expiryOf(expires, nowMs) }),
    ...(comment !== undefined && { comment }),
  };
}

function similarity(name: string, text: string): number {
  const value = Number(text);
  if (text === '' || !(value >= 0 && value <= 0.999))
    throw new UsageError(`--${name} takes a similarity from 0 to 0.999, not '${text}'`);
  return value;
}

export function editOf(state: EditState, values: ClauseValues, nowMs: number): EditInput {
  const pairs = (option: 'require' | 'optional') =>
    (values[option] ?? []).map((text) => {
      const [parent, child] = calls(option, text, 2);
      return { parent: parent!, child: child! };
    });
  return {
    state,
    owner: values.owner ?? '',
    comment: values.comment ?? '',
    expiresMs: expiryOf(values.expires, nowMs),
    ...(values.entry !== undefined && { entry: values.entry }),
    ...(values.signature !== undefined && { signature: values.signature }),
    required: pairs('require'),
    optional: pairs('optional'),
    forbidden: (values.forbid ?? []).map((text) => {
      const found = text.split(ARROW).map(callOf);
      if (found.length > 2) throw new UsageError(`--forbid takes CALL, or CALL '->' CALL, not '${text}'`);
      return found.length === 1 ? { child: found[0]! } : { parent: found[0]!, child: found[1]! };
    }),
    counts: (values.count ?? []).map((given) => {
      const { text, ...range } = ranged('count', given);
      const [parent, child] = calls('count', text, 2);
      return { parent: parent!, child: child!, ...range };
    }),
    order: (values.order ?? []).map((text) => {
      const [parent, before, after] = calls('order', text, 3);
      return { parent: parent!, before: before!, after: after! };
    }),
    latency: (values.latency ?? []).map((given) => {
      const { text, min, max } = ranged('latency', given);
      if (max === undefined) throw new UsageError(`--latency needs a maximum in milliseconds, not '${given}'`);
      return { call: callOf(text), maxMs: max, ...(min !== undefined && min !== max && { minMs: min }) };
    }),
    parameters: (values.parameter ?? []).map(parameterOf),
    thresholds: {
      ...(values.structure !== undefined && { structure: similarity('structure', values.structure) }),
      ...(values.timing !== undefined && { timing: similarity('timing', values.timing) }),
      ...(values.parameters !== undefined && { parameters: similarity('parameters', values.parameters) }),
    },
  };
}
