/**
 * From a merged partial to the data of a version. Egress classes and statements on sensitive tables of a service that was
 * active before are taken over from the version before, never learned (DETECTION §7).
 */

import { ParameterSource } from '../../traces/segment.ts';
import type { CompileOptions } from '../model.ts';
import { type Counts, entriesOf, timesOf } from './counts.ts';
import type { ModelData, OperationData, SchemaCounts, ServiceData } from './data.ts';
import { estimateDistinct } from './distinct.ts';
import { effectiveKind, effectiveProfile, effectiveTotal, maturityOf } from './effective.ts';
import { dataFromEntries } from './entries.ts';
import { Kind, SchemaKind } from './features.ts';
import {
  createPartial,
  mergePartial,
  type OperationCounts,
  type ParametersPartial,
  quarantinedOperation,
  quarantinedParameter,
  settlePartial,
} from './partial.ts';
import { kindCounts, type ProfileData } from './profile.ts';
import { callsAnyPublicName } from './public-names.ts';
import { leaveOutClients } from './without-clients.ts';

/** A map that never passed its cap. */
const NO_BOUND = 0xffffffff;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const schemaCounts = (counts: Counts, kind: number, n: number, options: CompileOptions): SchemaCounts => {
  const {
    total,
    unseen,
    bound,
    keys,
    counts: times,
  } = effectiveKind(counts, kind as Kind, entriesOf(counts, kind), n, options);
  // Names may come many at once: their share is of requests.
  return { total: kind === SchemaKind.name ? Math.max(n, 1) : total, other: unseen, bound, keys, counts: times };
};

const operationData = (
  partial: ParametersPartial,
  operation: OperationCounts,
  options: CompileOptions,
): OperationData => {
  const total = entriesOf(operation.counts, SchemaKind.total)[0];
  const n = effectiveTotal(total, options);
  const buckets = total?.buckets ?? 0;
  const anyPublic = callsAnyPublicName(operation.calls.map.values(), options);
  const profiles = [...operation.parameters.map.values(), ...operation.calls.map.values()]
    .map((parameter) => {
      const key = quarantinedParameter(partial, operation.label, parameter.source, parameter.name);
      const data = effectiveProfile(parameter, timesOf(partial.quarantined, key), partial.operations.seed, options);
      if (data.source === ParameterSource.egress) data.anyPublic = anyPublic;
      return data;
    })
    .sort((a, b) => a.source - b.source || byText(a.name, b.name));
  return {
    label: operation.label,
    service: operation.service,
    operation: operation.operation,
    n,
    clients: estimateDistinct(operation.clients),
    buckets,
    quarantined: timesOf(partial.quarantined, quarantinedOperation(partial, operation.label)),
    state: maturityOf(n, buckets, options),
    complete: operation.calls.bound === NO_BOUND,
    sets: schemaCounts(operation.counts, SchemaKind.set, n, options),
    orders: schemaCounts(operation.counts, SchemaKind.order, n, options),
    names: schemaCounts(operation.counts, SchemaKind.name, n, options),
    profiles,
  };
};

/** Table patterns: `users`, `pay*`; `*` stands for anything. Compared without case, on the name without its schema. */
export const tableMatcher = (patterns: readonly string[]): ((tables: string) => boolean) => {
  const expressions = patterns.map((pattern) => {
    const parts = pattern.toLowerCase().split('*');
    return (table: string): boolean => {
      if (parts.length === 1) return table === parts[0];
      let at = parts[0]!.length;
      if (!table.startsWith(parts[0]!)) return false;
      for (let i = 1; i < parts.length - 1; i++) {
        const found = table.indexOf(parts[i]!, at);
        if (found < 0) return false;
        at = found + parts[i]!.length;
      }
      const last = parts[parts.length - 1]!;
      return table.length - last.length >= at && table.endsWith(last);
    };
  });
  return (tables) => tables !== '' && tables.split(',').some((table) => expressions.some((is) => is(table)));
};

/** Keeps of a kind only the keys that `keep` accepts; what falls out counts as not admitted. */
const restrictForms = (profile: ProfileData, keep: (key: number, text: string) => boolean): void => {
  const forms = kindCounts(profile, Kind.form);
  if (forms === undefined) return;
  const texts = new Map(profile.texts);
  const keys: number[] = [];
  const counts: number[] = [];
  for (let i = 0; i < forms.keys.length; i++) {
    const key = forms.keys[i]!;
    if (keep(key, texts.get(key) ?? '')) {
      keys.push(key);
      counts.push(forms.counts[i]!);
    }
    // A form shut out is not what normal looks like: its mass must not make other unseen forms ordinary.
    else forms.total -= forms.counts[i]!;
  }
  forms.keys = keys;
  forms.counts = counts;
  const kept = new Set([...keys, ...profile.pending]);
  profile.texts = profile.texts.filter(([key]) => kept.has(key));
};

const serviceData = (
  service: string,
  operations: readonly OperationData[],
  before: ServiceData | undefined,
  allOperations: boolean,
  sensitive: (tables: string) => boolean,
  options: CompileOptions,
): ServiceData => {
  const n = operations.reduce((sum, operation) => sum + operation.n, 0);
  const buckets = operations.reduce((most, operation) => Math.max(most, operation.buckets), 0);
  const egress = new Map<number, string>(before?.egress ?? []);
  const domains = new Set<number>(before?.domains ?? []);
  const statements = new Set<number>();
  const pending = new Set<number>();
  const onSensitive = new Set<number>(before?.sensitive ?? []);
  const closed = before !== undefined && before.state === 'active';
  for (const operation of operations) {
    for (const profile of operation.profiles) {
      if (profile.source === ParameterSource.egress) {
        if (closed) {
          restrictForms(profile, (key) => egress.has(key));
          profile.anyPublic = false;
        } else {
          for (const [key, text] of profile.texts) egress.set(key, text);
          for (const key of kindCounts(profile, Kind.template)?.keys ?? []) domains.add(key);
        }
      } else if (profile.source === ParameterSource.statement) {
        const texts = new Map(profile.texts);
        if (closed) {
          const keep = (key: number, text: string): boolean => !sensitive(text) || onSensitive.has(key);
          profile.pending = profile.pending.filter((key) => keep(key, texts.get(key) ?? ''));
          restrictForms(profile, keep);
        }
        for (const key of profile.pending) pending.add(key);
        for (const key of kindCounts(profile, Kind.form)?.keys ?? []) {
          statements.add(key);
          if (sensitive(texts.get(key) ?? '')) onSensitive.add(key);
        }
      }
    }
  }
  for (const key of onSensitive) statements.add(key);
  const numeric = (a: number, b: number): number => a - b;
  return {
    service,
    n,
    buckets,
    // A service that was active stays under the rule when a window has little of it.
    state: closed ? 'active' : maturityOf(n, buckets, options),
    complete: allOperations && operations.every(({ complete }) => complete),
    egress: [...egress].sort(([a], [b]) => a - b),
    domains: [...domains].sort(numeric),
    statements: [...statements].sort(numeric),
    pending: [...pending].filter((key) => !statements.has(key)).sort(numeric),
    sensitive: [...onSensitive].sort(numeric),
  };
};

export const compileData = (partial: ParametersPartial, options: CompileOptions): ModelData => {
  // Settling writes; the caller's partial stays as it was.
  const copy = createPartial(partial.operations.seed);
  mergePartial(copy, partial);
  leaveOutClients(copy, options.without ?? []);
  settlePartial(copy);
  const previous = dataFromEntries(options.previous);
  const before = new Map(previous.services.map((service) => [service.service, service]));
  const beforeOperations = new Map(previous.operations.map((operation) => [operation.label, operation]));
  const operations = [...copy.operations.map.values()]
    .map((operation) => operationData(copy, operation, options))
    .sort((a, b) => byText(a.label, b.label));
  const byService = new Map<string, OperationData[]>();
  for (const operation of operations) {
    const list = byService.get(operation.service);
    if (list === undefined) byService.set(operation.service, [operation]);
    else list.push(operation);
  }
  for (const service of before.keys()) if (!byService.has(service)) byService.set(service, []);
  const sensitive = tableMatcher(options.sensitiveTables);
  const allOperations = copy.operations.bound === NO_BOUND;
  const services = [...byService]
    .map(([service, list]) => serviceData(service, list, before.get(service), allOperations, sensitive, options))
    .sort((a, b) => byText(a.service, b.service));
  for (const operation of operations) {
    // "Any public name" of an operation is a class like any other: taken over, not learned anew.
    const then = beforeOperations.get(operation.label);
    if (then === undefined || !then.profiles.some(({ anyPublic }) => anyPublic)) continue;
    for (const profile of operation.profiles) {
      if (profile.source === ParameterSource.egress) profile.anyPublic = true;
    }
  }
  return { operations, services };
};
