/** Which whole trees are signatures: diverse enough, and much more diverse when they are an established one cut short. */
import type { FamilyLine, SignatureLine } from './entries.ts';
import type { Judge } from './evidence.ts';
import { bucketLow, mix } from './hash.ts';
import type { Links, SignatureFacts } from './links.ts';
import type { StructurePartial } from './partial.ts';
import type { Shape } from './shape.ts';

/** A truncation needs four times the evidence: a cut call chain is what an attack or lost telemetry looks like. */
const TRUNCATION_STRICTNESS = 4;
/** A signature is established beside a shorter one when it is at least this many times as frequent. */
const ESTABLISHED = 4;

export interface Signatures {
  readonly lines: SignatureLine[];
  readonly families: FamilyLine[];
  /** By entry label: segments of no family with a signature, of all. */
  readonly masses: ReadonlyMap<number, readonly [number, number]>;
}

export function learnSignatures(partial: StructurePartial, links: Links, judge: Judge): Signatures {
  const lines = new Map<SignatureFacts, SignatureLine>();
  for (const [facts, line] of admittedLines(partial, links, judge)) lines.set(facts, line);
  const families = new Map<string, { entry: string; set: number; mass: [number, number] }>();
  const familyKey = (entry: string, set: number): string => `${entry} ${set}`;
  for (const { entry, set } of lines.values()) families.set(familyKey(entry, set), { entry, set, mass: [0, 0] });
  const masses = new Map<number, [number, number]>();
  for (const facts of links.signatures) {
    const line = lines.get(facts);
    const ok = facts.ok === undefined ? 0 : judge.capped(facts.ok);
    const failed = facts.failed === undefined ? 0 : judge.capped(facts.failed);
    const unknown = line === undefined ? ok + failed : line.okAdmitted ? 0 : ok;
    const mass = masses.get(facts.entry) ?? [0, 0];
    masses.set(facts.entry, mass);
    mass[1] += ok + failed;
    const set = partial.shapes.get(facts.multiset)?.setKey;
    const family = set === undefined ? undefined : families.get(familyKey(links.text(facts.entry), set));
    if (family === undefined) mass[0] += unknown;
    else {
      family.mass[0] += unknown;
      family.mass[1] += ok + failed;
    }
  }
  const sorted = [...lines.values()].sort((x, y) =>
    x.entry < y.entry ? -1 : x.entry > y.entry ? 1 : x.number - y.number,
  );
  return { lines: sorted, families: [...families.values()], masses };
}

function* admittedLines(
  partial: StructurePartial,
  links: Links,
  judge: Judge,
): Iterable<readonly [SignatureFacts, SignatureLine]> {
  const byEntry = new Map<number, SignatureFacts[]>();
  for (const facts of links.signatures) {
    if (!partial.shapes.has(facts.multiset) || !judge.admitted(facts.all)) continue;
    const list = byEntry.get(facts.entry);
    if (list === undefined) byEntry.set(facts.entry, [facts]);
    else list.push(facts);
  }
  for (const [entry, list] of byEntry) {
    list.sort((x, y) => y.all.count - x.all.count || x.multiset - y.multiset);
    let number = 0;
    const grams = list.map((facts) => gramCounts(partial.shapes.get(facts.multiset)!));
    for (const [at, facts] of list.entries()) {
      const strictness = isTruncation(list, grams, at) ? TRUNCATION_STRICTNESS : 1;
      if (strictness > 1 && !judge.admitted(facts.all, strictness)) continue;
      number++;
      const okAdmitted = facts.ok !== undefined && judge.admitted(facts.ok, strictness);
      yield [facts, toLine(partial.shapes.get(facts.multiset)!, facts, entry, number, okAdmitted, links, judge)];
    }
  }
}

/** Longer ones looked through for each signature. */
const COMPARED = 100;

/** Whether it is an established signature with whole kinds of calls left out. */
function isTruncation(list: readonly SignatureFacts[], grams: readonly Map<number, number>[], at: number): boolean {
  const mine = grams[at]!;
  for (let other = 0; other < at && other < COMPARED; other++) {
    if (list[other]!.all.count < ESTABLISHED * list[at]!.all.count) return false;
    if (grams[other]!.size > mine.size && isPart(mine, grams[other]!)) return true;
  }
  return false;
}

function isPart(part: Map<number, number>, whole: Map<number, number>): boolean {
  for (const [gram, count] of part) if ((whole.get(gram) ?? 0) < count) return false;
  return true;
}

/** (parent, self) labels of a shape and how often. */
function gramCounts(shape: Shape): Map<number, number> {
  const counts = new Map<number, number>();
  const times = new Float64Array(shape.parent.length);
  for (let i = 0; i < shape.parent.length; i++) {
    const up = shape.parent[i]!;
    times[i] = bucketLow(shape.count[i]!) * (up < 0 ? 1 : times[up]!);
    const gram = mix(up < 0 ? 0 : shape.labelHash[up]!, shape.labelHash[i]!);
    counts.set(gram, (counts.get(gram) ?? 0) + times[i]!);
  }
  return counts;
}

/** Exact counts kept of one signature: where there are more, counts vary, and the mass of the others says so. */
const MAX_COUNTED = 64;

function exactCounts(
  facts: SignatureFacts,
  links: Links,
  judge: Judge,
): Pick<SignatureLine, 'counted' | 'countedMass'> {
  let all = 0;
  let known = 0;
  const counted: { key: number; count: number }[] = [];
  for (const { key, evidence } of links.counted.get(mix(facts.entry, facts.multiset)) ?? []) {
    const count = judge.capped(evidence);
    all += count;
    if (judge.admitted(evidence)) counted.push({ key, count });
  }
  counted.sort((x, y) => y.count - x.count || x.key - y.key);
  counted.length = Math.min(counted.length, MAX_COUNTED);
  for (const { count } of counted) known += count;
  return { counted: counted.map(({ key }) => key), countedMass: [all - known, all] };
}

function toLine(
  shape: Shape,
  facts: SignatureFacts,
  entry: number,
  number: number,
  okAdmitted: boolean,
  links: Links,
  judge: Judge,
): SignatureLine {
  const labels: string[] = [];
  const indices = new Map<number, number>();
  const nodes: [number, number, number, number][] = [];
  for (let i = 0; i < shape.parent.length; i++) {
    const hash = shape.labelHash[i]!;
    let index = indices.get(hash);
    if (index === undefined) {
      index = labels.length;
      indices.set(hash, index);
      labels.push(links.text(hash));
    }
    nodes.push([index, shape.parent[i]!, shape.count[i]!, shape.folds[i]!]);
  }
  return {
    entry: links.text(entry),
    number,
    multiset: facts.multiset,
    set: shape.setKey,
    ok: facts.ok === undefined ? 0 : judge.capped(facts.ok),
    failed: facts.failed === undefined ? 0 : judge.capped(facts.failed),
    okAdmitted,
    ...exactCounts(facts, links, judge),
    labels,
    nodes,
  };
}
