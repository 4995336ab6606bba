/** A signature as a document: what was learned of it, to be looked over, changed and pinned (DETECTION §8). */
import type { Call, EditInput } from '../../schemas/baselines/edit.ts';
import { createSymbols } from '../../traces/symbols.ts';
import type { SignatureName } from './known.ts';

interface Line {
  readonly group: string;
  readonly kind: string;
  readonly key: string;
  readonly value: string;
}

/** Its required children, and how often each call makes each other at most. `signature`: one of the version's. */
export function draftOf(signature: SignatureName, lines: Iterable<Line>): EditInput {
  const symbols = createSymbols({ maxTexts: 1_000_000, maxLabels: 1_000_000 });
  const callOf = (text: string): Call => {
    const { service, operation } = symbols.labelOf(symbols.labelFromText(text));
    return { service: symbols.text(service), operation: symbols.text(operation) };
  };
  const rules: { form: string; subject: string; required: string }[] = [];
  const most = new Map<string, number>();
  let found: { labels: string[]; nodes: [number, number, number, number][] } | undefined;
  for (const { group, kind, key, value } of lines) {
    if (group !== 'structure') continue;
    if (kind === 'rule') rules.push(JSON.parse(value) as (typeof rules)[number]);
    else if (kind === 'edge') most.set(key, (JSON.parse(value) as { max: number }).max);
    else if (kind === 'signature' && key === signature.key) found = JSON.parse(value) as typeof found;
  }
  const labels = new Set(found?.labels ?? []);
  const edges = new Map<string, { parent: Call; child: Call; max: number }>();
  for (const [label, above] of found?.nodes ?? []) {
    const parent = above < 0 ? undefined : found!.labels[found!.nodes[above]![0]];
    const child = found!.labels[label];
    if (parent === undefined || child === undefined) continue;
    const max = most.get(`${parent} → ${child}`) ?? 0;
    const calls = { parent: callOf(parent), child: callOf(child) };
    const name = JSON.stringify(calls);
    // two kinds of one call under one parent count together
    if (max > 0) edges.set(name, { ...calls, max: max + (edges.get(name)?.max ?? 0) });
  }
  return {
    state: 'pinned',
    entry: signature.entry,
    required: rules
      .filter(({ form, subject, required }) => form === 'child' && labels.has(subject) && labels.has(required))
      .map(({ subject, required }) => ({ parent: callOf(subject), child: callOf(required) })),
    counts: [...edges.values()],
  };
}
