/**
 * A version's lines for this group, and back: one line an operation, a parameter, a service. JSON an analyst can read:
 * types, characters and counts by name, hashes in base 36, no value.
 */
import { SpanwardenError } from '../../runtime/errors.ts';
import type { BaselineEntry, Maturity } from '../model.ts';
import { KEY_MASK, KIND_SHIFT, keyOf } from './counts.ts';
import type { ModelData, OperationData, SchemaCounts, ServiceData } from './data.ts';
import { HINT, Kind, SchemaKind, TYPES } from './features.ts';
import { familyById } from './patterns/matcher.ts';
import type { KindCounts, ProfileData } from './profile.ts';

const KIND_NAMES = Object.fromEntries(Object.entries(Kind).map(([name, kind]) => [kind, name])) as Record<
  number,
  string
>;
const NO_BOUND = 0xffffffff;

/** Feature key as an analyst reads it: a type's or pattern's name, a number on a scale, else base 36. */
const keyToText = (kind: number, key: number): string => {
  const value = key & KEY_MASK;
  if (kind === Kind.type) return TYPES[value - 1] ?? String(value);
  if (kind === Kind.pattern) {
    const hint = value >= HINT;
    const family = familyById(hint ? value - HINT : value);
    return family === undefined ? String(value) : hint ? `hint: ${family.name}` : family.name;
  }
  return value.toString(36);
};

const keyToBase36 = (key: number): string => (key & KEY_MASK).toString(36);

const TYPE_VALUES = new Map(TYPES.map((name, i) => [name as string, i + 1]));
const PATTERN_VALUES = new Map<string, number>();
for (let id = 1; id < 32; id++) {
  const family = familyById(id);
  if (family === undefined) continue;
  PATTERN_VALUES.set(family.name, id);
  PATTERN_VALUES.set(`hint: ${family.name}`, HINT + id);
}

const keyFromText = (kind: number, text: string): number => {
  const named =
    kind === Kind.type ? TYPE_VALUES.get(text) : kind === Kind.pattern ? PATTERN_VALUES.get(text) : undefined;
  const value = named ?? Number.parseInt(text, kind === Kind.type || kind === Kind.pattern ? 10 : 36);
  if (!Number.isInteger(value) || value < 0 || value > KEY_MASK) throw damaged(`feature ${text}`);
  return keyOf(kind, value);
};

const damaged = (what: string, cause?: unknown): SpanwardenError =>
  new SpanwardenError('BASELINE_DAMAGED', `parameters entry cannot be read: ${what}`, { cause });

interface CountsJson {
  total: number;
  other: number;
  unseen?: number;
  /** Largest key judged, where the kind overflowed. */
  bound?: number;
  counts: Record<string, number>;
}

const countsToJson = (kind: number, of: SchemaCounts | KindCounts): CountsJson => {
  const counts: Record<string, number> = {};
  for (let i = 0; i < of.keys.length; i++) counts[keyToText(kind, of.keys[i]!)] = of.counts[i]!;
  return {
    total: of.total,
    other: of.other,
    ...('unseen' in of ? { unseen: of.unseen } : {}),
    ...(of.bound === NO_BOUND ? {} : { bound: of.bound }),
    counts,
  };
};

const listsFromJson = (kind: number, json: CountsJson): { keys: number[]; counts: number[] } => {
  const pairs = Object.entries(json.counts).map(([text, n]) => [keyFromText(kind, text), n] as const);
  pairs.sort(([a], [b]) => a - b);
  return { keys: pairs.map(([key]) => key), counts: pairs.map(([, n]) => n) };
};

const schemaFromJson = (kind: number, json: CountsJson): SchemaCounts => ({
  total: json.total,
  other: json.other,
  bound: json.bound ?? NO_BOUND,
  ...listsFromJson(kind, json),
});

// Schema kinds are small numbers that mean other things among features: keys go as plain base 36.
const PLAIN = 0;
const schemaToJson = (of: SchemaCounts): CountsJson => countsToJson(PLAIN, of);
const plainFromJson = (kind: number, json: CountsJson): SchemaCounts => {
  const plain = schemaFromJson(PLAIN, json);
  plain.keys = plain.keys.map((key) => ((kind << KIND_SHIFT) | key) >>> 0);
  return plain;
};

interface ParameterJson {
  operation: string;
  source: number;
  name: string;
  hidden?: true;
  n: number;
  hits: number;
  clients: number;
  buckets: number;
  quarantined: number;
  state: Maturity;
  anyPublic?: true;
  pending?: string[];
  kinds: Record<string, CountsJson>;
  /** Shapes of values with attack patterns, where these are everyday. */
  hitKinds?: Record<string, CountsJson>;
  texts?: Record<string, string>;
}

const kindsToJson = (kinds: readonly KindCounts[]): Record<string, CountsJson> =>
  Object.fromEntries(kinds.map((kind) => [KIND_NAMES[kind.kind]!, countsToJson(kind.kind, kind)]));

const kindsFromJson = (json: Record<string, CountsJson>): KindCounts[] => {
  const kinds: KindCounts[] = Object.entries(json).map(([name, counts]) => {
    const kind = Kind[name as keyof typeof Kind];
    if (kind === undefined) throw damaged(`kind ${name}`);
    return {
      kind,
      total: counts.total,
      other: counts.other,
      unseen: counts.unseen ?? 0,
      bound: counts.bound ?? NO_BOUND,
      ...listsFromJson(kind, counts),
    };
  });
  return kinds.sort((a, b) => a.kind - b.kind);
};

const parameterToJson = (operation: OperationData, profile: ProfileData): ParameterJson => ({
  operation: operation.label,
  source: profile.source,
  name: profile.name,
  ...(profile.hidden ? { hidden: true as const } : {}),
  n: profile.n,
  hits: profile.hits,
  clients: profile.clients,
  buckets: profile.buckets,
  quarantined: profile.quarantined,
  state: profile.state,
  ...(profile.anyPublic ? { anyPublic: true as const } : {}),
  ...(profile.pending.length === 0 ? {} : { pending: profile.pending.map(keyToBase36) }),
  kinds: kindsToJson(profile.kinds),
  ...(profile.hitKinds.length === 0 ? {} : { hitKinds: kindsToJson(profile.hitKinds) }),
  ...(profile.texts.length === 0
    ? {}
    : { texts: Object.fromEntries(profile.texts.map(([key, text]) => [(key & KEY_MASK).toString(36), text])) }),
});

const textsFromJson = (json: Record<string, string> | undefined): (readonly [number, string])[] =>
  Object.entries(json ?? {})
    .map(([key, text]) => [keyFromText(Kind.form, key), text] as const)
    .sort(([a], [b]) => a - b);

const profileFromJson = (json: ParameterJson): ProfileData => {
  return {
    source: json.source,
    name: json.name,
    hidden: json.hidden === true,
    n: json.n,
    hits: json.hits,
    clients: json.clients,
    buckets: json.buckets,
    quarantined: json.quarantined,
    state: json.state,
    kinds: kindsFromJson(json.kinds),
    hitKinds: kindsFromJson(json.hitKinds ?? {}),
    texts: textsFromJson(json.texts),
    pending: keysFromJson(json.pending ?? []),
    anyPublic: json.anyPublic === true,
  };
};

interface OperationJson {
  service: string;
  operation: string;
  n: number;
  clients: number;
  buckets: number;
  quarantined: number;
  state: Maturity;
  incomplete?: true;
  sets: CountsJson;
  orders: CountsJson;
  names: CountsJson;
}

const operationToJson = (operation: OperationData): OperationJson => ({
  service: operation.service,
  operation: operation.operation,
  n: operation.n,
  clients: operation.clients,
  buckets: operation.buckets,
  quarantined: operation.quarantined,
  state: operation.state,
  ...(operation.complete ? {} : { incomplete: true as const }),
  sets: schemaToJson(operation.sets),
  orders: schemaToJson(operation.orders),
  names: schemaToJson(operation.names),
});

const operationFromJson = (label: string, json: OperationJson): OperationData => ({
  label,
  service: json.service,
  operation: json.operation,
  n: json.n,
  clients: json.clients,
  buckets: json.buckets,
  quarantined: json.quarantined,
  state: json.state,
  complete: json.incomplete !== true,
  sets: plainFromJson(SchemaKind.set, json.sets),
  orders: plainFromJson(SchemaKind.order, json.orders),
  names: plainFromJson(SchemaKind.name, json.names),
  profiles: [],
});

interface ServiceJson {
  n: number;
  buckets: number;
  state: Maturity;
  incomplete?: true;
  egress: Record<string, string>;
  domains?: string[];
  statements: string[];
  pending: string[];
  sensitive: string[];
}

const serviceToJson = (service: ServiceData): ServiceJson => ({
  n: service.n,
  buckets: service.buckets,
  state: service.state,
  ...(service.complete ? {} : { incomplete: true as const }),
  egress: Object.fromEntries(service.egress.map(([key, text]) => [(key & KEY_MASK).toString(36), text])),
  ...(service.domains.length === 0 ? {} : { domains: service.domains.map(keyToBase36) }),
  statements: service.statements.map(keyToBase36),
  pending: service.pending.map(keyToBase36),
  sensitive: service.sensitive.map(keyToBase36),
});

const keysFromJson = (texts: readonly string[], kind: number = Kind.form): number[] =>
  texts.map((text) => keyFromText(kind, text)).sort((a, b) => a - b);

const serviceFromJson = (service: string, json: ServiceJson): ServiceData => ({
  service,
  n: json.n,
  buckets: json.buckets,
  state: json.state,
  complete: json.incomplete !== true,
  egress: textsFromJson(json.egress),
  domains: keysFromJson(json.domains ?? [], Kind.template),
  statements: keysFromJson(json.statements),
  pending: keysFromJson(json.pending),
  sensitive: keysFromJson(json.sensitive),
});

export function* entriesFromData(data: ModelData): Iterable<BaselineEntry> {
  for (const service of data.services) {
    yield {
      group: 'parameters',
      kind: 'service',
      key: service.service,
      value: JSON.stringify(serviceToJson(service)),
    };
  }
  for (const operation of data.operations) {
    yield {
      group: 'parameters',
      kind: 'operation',
      key: operation.label,
      value: JSON.stringify(operationToJson(operation)),
    };
    for (const profile of operation.profiles) {
      yield {
        group: 'parameters',
        kind: 'parameter',
        key: `${operation.label} · ${profile.source} · ${profile.name}`,
        value: JSON.stringify(parameterToJson(operation, profile)),
      };
    }
  }
}

const parse = <T>(entry: BaselineEntry): T => {
  try {
    return JSON.parse(entry.value) as T;
  } catch (cause) {
    throw damaged(entry.key, cause);
  }
};

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Throws BASELINE_DAMAGED. Entries of other groups are passed over; order does not matter. */
export const dataFromEntries = (entries: Iterable<BaselineEntry>): ModelData => {
  const operations = new Map<string, OperationData>();
  const services: ServiceData[] = [];
  try {
    for (const entry of entries) {
      if (entry.group !== 'parameters') continue;
      if (entry.kind === 'operation') operations.set(entry.key, operationFromJson(entry.key, parse(entry)));
      else if (entry.kind === 'service') services.push(serviceFromJson(entry.key, parse(entry)));
    }
    for (const entry of entries) {
      if (entry.group !== 'parameters' || entry.kind !== 'parameter') continue;
      const json = parse<ParameterJson>(entry);
      const operation = operations.get(json.operation);
      if (operation === undefined) throw damaged(`${entry.key}: its operation is missing`);
      operation.profiles.push(profileFromJson(json));
    }
  } catch (error) {
    if (error instanceof SpanwardenError) throw error;
    throw damaged('its form is another', error);
  }
  for (const operation of operations.values()) {
    operation.profiles.sort((a, b) => a.source - b.source || byText(a.name, b.name));
  }
  return {
    operations: [...operations.values()].sort((a, b) => byText(a.label, b.label)),
    services: services.sort((a, b) => byText(a.service, b.service)),
  };
};
