/** Edits over requests of many spans: what they cost grows with the spans, not with their square. */
import { describe, expect, it } from 'vitest';
import { absolutionsOf } from '../../../baseline/edits/absolve.ts';
import { clausesOf } from '../../../baseline/edits/enforce.ts';
import { createStructureMatch, JudgementStage } from '../../../baseline/model.ts';
import { createParameterReader } from '../../../baseline/parameters/reader.ts';
import type { EditInput } from '../../../schemas/baselines/edit.ts';
import type { Finding } from '../../../schemas/log/verdict.ts';
import type { Segment } from '../../../traces/segment.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { type PlainSpan, segmentOf } from '../traces/segments.ts';
import { edit } from './judged.ts';

const PAIRS = 1_000;
const SHOP = { service: 'shop', operation: 'GET /cart' };
const STEP = { service: 'shop', operation: 'step' };
const CHECK = { service: 'auth', operation: 'Check' };
const ITEM = { service: 'stock', operation: 'GET /item' };

const called = (call: typeof STEP, children: readonly PlainSpan[] = []): PlainSpan => ({ ...call, children });
/** Every step checks, through a client span of its own, and then asks for an item. */
const step = called(STEP, [
  { service: 'shop', operation: 'POST', kind: 'client', children: [called(CHECK)] },
  called(ITEM),
]);

/** Of the segment: every read of its columns of services and parents is counted. */
function counting(segment: Segment): { segment: Segment; reads(): number } {
  let reads = 0;
  const counted = (column: Int32Array): Int32Array =>
    new Proxy(column, {
      get(target, name) {
        reads++;
        return Reflect.get(target, name, target) as unknown;
      },
    });
  const { service, parent } = segment;
  return { segment: { ...segment, service: counted(service), parent: counted(parent) }, reads: () => reads };
}

const kit = () => {
  const symbols = createSymbols({ maxTexts: 1_000, maxLabels: 1_000 });
  const plain = segmentOf(symbols, called(SHOP, new Array<PlainSpan>(PAIRS).fill(step)));
  return { symbols, plain, reader: createParameterReader(0) };
};

describe('a request of thousands of spans', () => {
  it.each<[string, EditInput]>([
    ['counts', { state: 'pinned', counts: [{ parent: STEP, child: CHECK, min: 1, max: 1 }] }],
    ['required', { state: 'pinned', required: [{ parent: STEP, child: CHECK }] }],
    ['order', { state: 'pinned', order: [{ parent: STEP, before: CHECK, after: ITEM }] }],
  ])('%s: each span is looked at a few times', (_what, input) => {
    const { symbols, plain, reader } = kit();
    const { segment, reads } = counting(plain);
    const found: Finding[] = [];
    for (const clause of clausesOf(edit(input), symbols, reader))
      clause(segment, JudgementStage.absence, createStructureMatch(), found);
    expect(found).toEqual([]);
    expect(reads()).toBeGreaterThan(segment.spanCount);
    expect(reads()).toBeLessThan(20 * segment.spanCount);
  });

  it('an approved count is held against each caller in one pass', () => {
    const { symbols, plain, reader } = kit();
    const { segment, reads } = counting(plain);
    const [absolves] = absolutionsOf(
      edit({ state: 'approved', counts: [{ parent: STEP, child: CHECK, max: 1 }] }),
      symbols,
      reader,
    );
    const label = (operation: string): string => {
      for (let i = 0; i < plain.spanCount; i++)
        if (symbols.text(plain.operation[i]!) === operation) return symbols.labelText(plain.label[i]!);
      throw new Error(operation);
    };
    const finding = { kind: 'fan-out', explanationKey: `${label('step')} → ${label('Check')}` } as Finding;
    expect(absolves!(finding, segment)).toBe(true);
    expect(reads()).toBeLessThan(20 * segment.spanCount);
  });

  it('the one step in a thousand that breaks a demand is found', () => {
    const { symbols, reader } = kit();
    const odd = called(STEP, [called(ITEM), called(CHECK), called(CHECK)]);
    const none = called(STEP, [called(ITEM)]);
    const kinds = (one: PlainSpan, input: EditInput): string[] => {
      const steps = new Array<PlainSpan>(PAIRS).fill(step);
      steps[700] = one;
      const found: Finding[] = [];
      for (const clause of clausesOf(edit(input), symbols, reader))
        clause(segmentOf(symbols, called(SHOP, steps)), JudgementStage.absence, createStructureMatch(), found);
      return found.map(({ kind, seen }) => `${kind}: ${seen}`);
    };
    const counts: EditInput = { state: 'pinned', counts: [{ parent: STEP, child: CHECK, min: 1, max: 1 }] };
    expect(kinds(odd, counts)).toEqual(['fan-out: called 2 times']);
    expect(kinds(none, counts)).toEqual(['required-child: it succeeded without auth Check']);
    const order: EditInput = { state: 'pinned', order: [{ parent: STEP, before: CHECK, after: ITEM }] };
    expect(kinds(odd, order)).toHaveLength(1);
    expect(kinds(step, order)).toEqual([]);
  });
});
