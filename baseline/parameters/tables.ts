/** The scoring tables of a version: operations by label, profiles by (label, name, source), services by symbol. */
import type { Symbols } from '../../traces/segment.ts';
import { ParameterSource } from '../../traces/segment.ts';
import { backOffProfile } from './backoff.ts';
import type { ModelData, OperationData, SchemaCounts, ServiceData } from './data.ts';
import { Kind } from './features.ts';
import { avalanche } from './hash.ts';
import { createNameIds, isNamedOutside } from './hidden-names.ts';
import { compileProfile, floorOf, kindCounts, type Profile, rarities } from './profile.ts';
import { isCallSource } from './sources.ts';

export interface SchemaTable {
  /** 1/p by key. */
  readonly known: Map<number, number>;
  /** 1/p of what is not known. */
  readonly unseen: number;
  readonly bound: number;
}

export interface OperationTable {
  readonly data: OperationData;
  readonly floor: number;
  readonly sets: SchemaTable;
  readonly orders: SchemaTable;
  readonly names: SchemaTable;
  /** Statements of the operation over all its calls: how many, and how many of them were new (Good–Turing). */
  readonly statements: number;
  readonly newStatements: number;
  /** It calls so many public names that any is normal, whichever of its calls does. */
  readonly anyPublic: boolean;
  /** Index into the back-off: service. */
  readonly service: number;
}

export interface ServiceTable {
  readonly data: ServiceData;
  readonly egress: ReadonlySet<number>;
  readonly domains: ReadonlySet<number>;
  /** One of its operations calls so many public names that any is normal there. */
  readonly anyPublic: boolean;
  readonly statements: ReadonlySet<number>;
  /** Seen too rarely to be admitted, by more than one client. */
  readonly pending: ReadonlySet<number>;
}

export interface ModelTables {
  readonly operations: readonly OperationTable[];
  readonly profiles: readonly Profile[];
  /** Index of an operation by label id, −1 when unknown. */
  operationAt(label: number): number;
  /** Index of a profile, −1 when unknown. `name`: text symbol, or label of the calling span for calls. */
  profileAt(label: number, name: number, source: number): number;
  serviceAt(service: number): ServiceTable | undefined;
  /** Whether any service was learned to call this egress class. */
  isCalled(egress: number): boolean;
  /** Profile of a parameter over all operations of a service; null when there is none worth asking. */
  backOff(service: number, name: number, source: number): Profile | null;
}

const schemaTable = (counts: SchemaCounts, floor: number): SchemaTable => {
  const total = Math.max(1, counts.total);
  const inverses = rarities(counts.counts, counts.other, total, floor);
  return {
    known: new Map(counts.keys.map((key, i) => [key, inverses[i]!])),
    unseen: 1 / Math.min(1, Math.max(floor, counts.other / total)),
    bound: counts.bound,
  };
};

/** Open addressing over three integers; a row holds two of them folded, the value plus one, and nothing. */
const createTripleIndex = (expected: number) => {
  let capacity = 64;
  while (capacity < expected * 2) capacity *= 2;
  const mask = capacity - 1;
  const rows = new Int32Array(capacity * 4);
  const slotOf = (a: number, b: number): number => {
    let at = avalanche(Math.imul(a, 0x9e3779b1) ^ b) & mask;
    while (rows[at * 4 + 2] !== 0 && (rows[at * 4] !== a || rows[at * 4 + 1] !== b)) at = (at + 1) & mask;
    return at * 4;
  };
  return {
    get: (a: number, b: number, c: number): number => rows[slotOf(a, b * 16 + c) + 2]! - 1,
    set(a: number, b: number, c: number, value: number): void {
      const at = slotOf(a, b * 16 + c);
      rows[at] = a;
      rows[at + 1] = b * 16 + c;
      rows[at + 2] = value + 1;
    },
  };
};

const operationTable = (data: OperationData, service: number): OperationTable => {
  const floor = floorOf(data.n, data.state);
  let statements = 0;
  let newStatements = 0;
  for (const profile of data.profiles) {
    if (profile.source !== ParameterSource.statement) continue;
    const forms = kindCounts(profile, Kind.form);
    statements += forms?.total ?? 0;
    newStatements += forms?.unseen ?? 0;
  }
  return {
    data,
    floor,
    sets: schemaTable(data.sets, floor),
    orders: schemaTable(data.orders, floor),
    names: schemaTable(data.names, floor),
    statements,
    newStatements,
    anyPublic: data.profiles.some((profile) => profile.anyPublic),
    service,
  };
};

export const buildTables = (data: ModelData, symbols: Symbols, seed: number): ModelTables => {
  const operations: OperationTable[] = [];
  const profiles: Profile[] = [];
  let labels = new Int32Array(Math.max(64, symbols.labelCount + data.operations.length + 1)).fill(-1);
  const services = new Map<number, ServiceTable>();
  const members = new Map<number, Map<number, OperationData['profiles']>>();
  const expected = data.operations.reduce((sum, { profiles }) => sum + profiles.length, 0);
  const index = createTripleIndex(expected);
  const names = createNameIds(
    symbols,
    seed,
    data.operations.flatMap(({ profiles }) => profiles),
  );

  const called = new Set<number>();
  const anyPublic = new Set<string>();
  for (const { service, profiles } of data.operations) {
    if (profiles.some((profile) => profile.anyPublic)) anyPublic.add(service);
  }
  for (const service of data.services) {
    for (const [key] of service.egress) called.add(key);
    services.set(symbols.intern(service.service), {
      data: service,
      egress: new Set(service.egress.map(([key]) => key)),
      domains: new Set(service.domains),
      anyPublic: anyPublic.has(service.service),
      statements: new Set(service.statements),
      pending: new Set(service.pending),
    });
  }
  for (const operation of data.operations) {
    const label = symbols.labelFromText(operation.label);
    if (label >= labels.length) {
      const larger = new Int32Array(label * 2).fill(-1);
      larger.set(labels);
      labels = larger;
    }
    const service = symbols.intern(operation.service);
    labels[label] = operations.length;
    operations.push(operationTable(operation, service));
    for (const profile of operation.profiles) {
      const call = isCallSource(profile.source);
      const name = call ? symbols.labelFromText(profile.name) : names.ofProfile(profile);
      index.set(label, name, profile.source, profiles.length);
      profiles.push(compileProfile(profile));
      if (call || profile.source === ParameterSource.size) continue;
      let byName = members.get(service);
      if (byName === undefined) {
        byName = new Map();
        members.set(service, byName);
      }
      const key = name * 16 + profile.source;
      const list = byName.get(key);
      if (list === undefined) byName.set(key, [profile]);
      else list.push(profile);
    }
  }

  // Built when first asked: most parameters are active and never need one.
  const backOffs = new Map<OperationData['profiles'], Profile | null>();
  return {
    operations,
    profiles,
    operationAt: (label) => (label < labels.length ? labels[label]! : -1),
    profileAt(label, name, source) {
      const found = index.get(label, name, source);
      if (found >= 0 || !names.any || !isNamedOutside(source)) return found;
      const id = names.ofSymbol(name);
      return id === name ? -1 : index.get(label, id, source);
    },
    serviceAt: (service) => services.get(service),
    isCalled: (egress) => called.has(egress),
    backOff(service, name, source) {
      const byName = members.get(service);
      const parts =
        byName?.get(name * 16 + source) ??
        (names.any && isNamedOutside(source) ? byName?.get(names.ofSymbol(name) * 16 + source) : undefined);
      if (parts === undefined) return null;
      let found = backOffs.get(parts);
      if (found === undefined) {
        found = backOffProfile(parts);
        backOffs.set(parts, found);
      }
      return found;
    },
  };
};
