/** What a version knows by name, so that an edit that refers to nothing can be refused (DETECTION §8). */
import type { Call, EditBody, Novelty } from '../../schemas/baselines/edit.ts';
import { createSymbols } from '../../traces/symbols.ts';

interface Line {
  readonly group: string;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

export interface SignatureName {
  /** `POST /checkout #3`, as matches name it in this version. */
  readonly name: string;
  /** Its key, the same in every version. */
  readonly key: string;
  readonly entry: string;
}

/** Names of one version. */
export interface KnownNames {
  readonly version: string;
  readonly entries: readonly string[];
  readonly signatures: readonly SignatureName[];
  readonly calls: readonly Call[];
  /** Parameters that have a profile of their own: `operation · name`. */
  readonly parameters: readonly string[];
  /** Operations with parameters whose names are hashes (sent too rarely yet): of these no name can be told to be unknown. */
  readonly hidden: readonly string[];
  /** Required children as explanation keys name them. */
  readonly rules: readonly string[];
}

export function knownNames(version: string, lines: Iterable<Line>): KnownNames {
  const symbols = createSymbols({ maxTexts: 1_000_000, maxLabels: 1_000_000 });
  const callOf = (labelText: string): Required<Call> => {
    const { service, operation } = symbols.labelOf(symbols.labelFromText(labelText));
    return { service: symbols.text(service), operation: symbols.text(operation) };
  };
  const calls = new Map<string, Call>();
  const entries = new Set<string>();
  const signatures: SignatureName[] = [];
  const parameters = new Set<string>();
  const hidden = new Set<string>();
  const rules: string[] = [];
  for (const { group, kind, key, value } of lines) {
    if (group === 'structure' && kind === 'label' && key !== '') {
      const call = callOf(key);
      calls.set(`${call.service}\u0000${call.operation}`, call);
    } else if (group === 'structure' && kind === 'signature') {
      const line = JSON.parse(value) as { entry: string; number: number };
      const entry = callOf(line.entry).operation;
      entries.add(entry);
      signatures.push({ name: `${entry} #${line.number}`, key, entry });
    } else if (group === 'structure' && kind === 'rule') {
      const rule = JSON.parse(value) as { subject: string; required: string };
      rules.push(`${rule.subject} → ${rule.required}`);
    } else if (group === 'parameters' && kind === 'parameter') {
      const [label, , ...name] = key.split(' · ');
      if (label === undefined || name.length === 0) continue;
      const { operation } = callOf(label);
      if ((JSON.parse(value) as { hidden?: boolean }).hidden === true) hidden.add(operation);
      else parameters.add(`${operation} · ${name.join(' · ')}`);
    }
  }
  return {
    version,
    entries: [...entries],
    signatures,
    calls: [...calls.values()],
    parameters: [...parameters],
    hidden: [...hidden],
    rules,
  };
}

/** What the installation knows beside a version. */
export interface SeenNames {
  /** Operations of its inventory: also those that no version has learned yet. */
  readonly calls: readonly Call[];
  /** Novelties that verdicts or incidents of the stored time have. */
  readonly novelties: readonly Pick<Novelty, 'kind' | 'explanationKey'>[];
}

const MOST_NEAREST = 10;
const MOST_NAMES = 2_000;
const MOST_TEXT = 256;

/** Clauses that refer to nothing, in words, each naming the nearest known; empty when all is known. */
export function unknownReferences(
  edit: EditBody,
  known: KnownNames,
  seen: SeenNames,
  nearest: (name: string, among: readonly string[]) => string,
): string[] {
  const problems: string[] = [];
  const calls = [...known.calls, ...seen.calls];
  const services = new Set(calls.map(({ service }) => service));
  const operations = new Set(calls.map(({ service, operation }) => `${service} ${operation}`));
  const say = (what: string, name: string, among: Iterable<string>): void => {
    // looking for the nearest costs the product of the lengths: an edit of hundreds of wrong names must not hold others up
    const near =
      problems.length < MOST_NEAREST ? nearest(name.slice(0, MOST_TEXT), [...among].slice(0, MOST_NAMES)) : '';
    problems.push(`${what} '${name}' is not known${near === '' ? '' : `; the nearest known one is '${near}'`}`);
  };
  const check = (call: Call | undefined): void => {
    if (call === undefined) return;
    if (!services.has(call.service)) say('service', call.service, services);
    else if (call.operation !== undefined && !operations.has(`${call.service} ${call.operation}`))
      say('call', `${call.service} ${call.operation}`, operations);
  };
  if (edit.entry !== undefined && !known.entries.includes(edit.entry))
    say('family of entry operation', edit.entry, known.entries);
  if (edit.signature !== undefined && !known.signatures.some(({ key }) => key === edit.signature))
    say(
      'signature',
      edit.signature,
      known.signatures.map(({ key }) => key),
    );
  for (const { parent, child } of [...edit.required, ...edit.optional, ...edit.forbidden, ...edit.counts]) {
    check(parent);
    check(child);
  }
  for (const { parent, before, after } of edit.order) for (const call of [parent, before, after]) check(call);
  for (const { call } of edit.latency) check(call);
  for (const { call, name } of edit.parameters) {
    check(call);
    if (call.operation === undefined || known.hidden.includes(call.operation)) continue;
    if (!known.parameters.includes(`${call.operation} · ${name}`))
      say('parameter', `${call.operation} · ${name}`, known.parameters);
  }
  for (const { kind, explanationKey, service, operation } of edit.approve) {
    const sameKind = seen.novelties.filter((one) => one.kind === kind).map((one) => one.explanationKey);
    const ruled = (kind === 'required-child' || kind === 'required-ancestor') && known.rules.includes(explanationKey);
    if (!ruled && !sameKind.includes(explanationKey)) say(`finding of kind ${kind}`, explanationKey, sameKind);
    if (service !== undefined) check({ service, ...(operation !== undefined && { operation }) });
  }
  return [...new Set(problems)];
}
