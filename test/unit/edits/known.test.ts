/** Names, comparison and expectation: what the console asks of edits. */
import { describe, expect, it } from 'vitest';
import { createComparison } from '../../../baseline/edits/compare.ts';
import { draftOf } from '../../../baseline/edits/draft.ts';
import { expectationOf } from '../../../baseline/edits/expectation.ts';
import { knownNames, unknownReferences } from '../../../baseline/edits/known.ts';
import { summaryOf } from '../../../baseline/edits/words.ts';
import { nearest } from '../../../runtime/config/nearest.ts';
import { type EditInput, editBody } from '../../../schemas/baselines/edit.ts';
import { loadedBaseline, searchTrace } from '../detector/traffic.ts';
import { edit, under } from './judged.ts';

const known = knownNames('v', loadedBaseline().entries);
const SEEN = {
  calls: [{ service: 'payments', operation: 'GET /items' }],
  novelties: [{ kind: 'service-pair' as const, explanationKey: 'gateway → payments' }],
};
const problems = (input: EditInput): string[] => unknownReferences(editBody.parse(input), known, SEEN, nearest);

describe('an edit that refers to nothing', () => {
  it('knows families, signatures and calls of a version', () => {
    expect([...known.entries].sort()).toEqual(['GET /search', 'POST /orders', 'process jobs']);
    expect(known.signatures.map(({ name }) => name)).toContain('GET /search #1');
    expect(known.calls).toContainEqual({ service: 'catalog', operation: 'SELECT items' });
  });

  it.each<[string, EditInput, string]>([
    [
      'family',
      { state: 'pinned', entry: 'GET /serach', thresholds: { timing: 0.9 } },
      "nearest known one is 'GET /search'",
    ],
    ['signature', { state: 'blocked', signature: 'GET /search #x' }, 'signature'],
    [
      'service',
      { state: 'blocked', forbidden: [{ child: { service: 'catalogue' } }] },
      "nearest known one is 'catalog'",
    ],
    [
      'operation',
      { state: 'pinned', latency: [{ call: { service: 'catalog', operation: 'GET /item' }, maxMs: 5 }] },
      "nearest known one is 'catalog GET /items'",
    ],
    [
      'parameter',
      {
        state: 'pinned',
        parameters: [{ call: { service: 'gateway', operation: 'GET /search' }, name: 'qq', maxLength: 9 }],
      },
      "parameter 'GET /search · qq'",
    ],
    [
      'finding',
      { state: 'approved', approve: [{ kind: 'service-pair', explanationKey: 'gateway → payment' }] },
      "nearest known one is 'gateway → payments'",
    ],
  ])('names the nearest known %s', (_what, input, says) => {
    const found = problems(input);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(says);
  });

  it('cannot say so of a parameter where a version holds names as hashes, and names none of these', () => {
    const operation = 'gateway server GET /search';
    const hash = '~0123456789abcdef';
    const line = {
      group: 'parameters',
      kind: 'parameter',
      key: `${operation} · 1 · ${hash}`,
      value: JSON.stringify({ operation, source: 1, name: hash, hidden: true }),
    };
    const names = knownNames('v', [...loadedBaseline().entries, line]);
    expect(names.hidden).toContain('GET /search');
    expect(names.parameters.some((name) => name.includes('~'))).toBe(false);
    const body = editBody.parse({
      state: 'pinned',
      parameters: [{ call: { service: 'gateway', operation: 'GET /search' }, name: 'q', maxLength: 9 }],
    });
    expect(unknownReferences(body, names, SEEN, nearest)).toEqual([]);
  });

  it('says so of hundreds of wrong names without looking for long', () => {
    const many = Array.from({ length: 200 }, (_, i) => ({
      kind: 'egress' as const,
      explanationKey: `${'long '.repeat(400)}${i}`,
    }));
    const names = Array.from({ length: 20_000 }, (_, i) => ({
      kind: 'egress' as const,
      explanationKey: `${'x'.repeat(60)}${i}`,
    }));
    let compared = 0;
    const found = unknownReferences(
      editBody.parse({ state: 'approved', approve: many }),
      known,
      { calls: [], novelties: names },
      (name, among) => {
        compared += name.length * among.length;
        return among[0]!;
      },
    );
    expect(found).toHaveLength(200);
    expect(compared).toBeLessThan(10_000_000);
  });

  it('takes what a version, the inventory or a verdict knows', () => {
    expect(
      problems({
        state: 'pinned',
        entry: 'GET /search',
        forbidden: [{ parent: { service: 'gateway' }, child: { service: 'payments' } }],
        approve: [
          { kind: 'service-pair', explanationKey: 'gateway → payments', service: 'payments', operation: 'GET /items' },
          { kind: 'required-child', explanationKey: 'gateway client GET → catalog server GET /items' },
        ],
      }),
    ).toEqual([]);
  });
});

describe('a learned signature as a document', () => {
  it('pinned as it is, it is broken by no request that has it, and by one that lacks a call', () => {
    const { entries } = loadedBaseline();
    const search = known.signatures.find(({ name }) => name === 'GET /search #1')!;
    const pinned = under(edit(draftOf(search, entries)));
    const plain = under();
    for (let trace = 0; trace < 20; trace++) {
      const spans = searchTrace(trace, 0, `198.51.100.${trace}`);
      expect(pinned.judge(spans).findings).toEqual(plain.judge(spans).findings);
    }
    const lacking = pinned.judge(searchTrace(3, 0, '198.51.100.3').slice(0, 3));
    expect(lacking.findings.filter(({ hard }) => hard).map(({ kind, seen }) => [kind, seen])).toContainEqual([
      'required-child',
      'it succeeded without catalog SELECT items',
    ]);
  });
});

describe('expect always', () => {
  const finding = (kind: string, explanationKey: string, hard: boolean) => ({
    kind,
    explanationKey,
    hard,
    candidate: false,
    service: 's',
    operation: 'o',
  });
  const egress = finding('egress', 'o · public', true);
  const pair = finding('service-pair', 'a → b', true);
  const soft = finding('child-set', 'o · x', false);
  const attack = finding('attack-pattern', 'o · q · SQL', true);

  it('approves what the incident is about and what always comes with it, nothing else', () => {
    const { approve, left } = expectationOf(egress, [[egress, pair, soft], [egress, pair, attack], [attack]]);
    expect(approve.map(({ kind }) => kind).sort()).toEqual(['egress', 'service-pair']);
    expect(left).toEqual([{ kind: 'attack-pattern', explanationKey: 'o · q · SQL' }]);
    expect(approve[0]).toEqual({ kind: 'egress', explanationKey: 'o · public', service: 's', operation: 'o' });
  });

  it('approves nothing of an incident whose findings are another’s', () => {
    expect(expectationOf(pair, [[attack]]).approve).toEqual([]);
    expect(expectationOf({ kind: 'blocked', explanationKey: 'x' }, [[finding('blocked', 'x', true)]]).approve).toEqual(
      [],
    );
  });
});

describe('what an edit would have changed', () => {
  it('counts requests, findings and incidents, and shows examples', () => {
    const approved = edit({
      state: 'approved',
      approve: [{ kind: 'service-pair', explanationKey: 'gateway → payments' }],
    });
    const blocked = edit(
      { state: 'blocked', forbidden: [{ child: { service: 'catalog', operation: 'SELECT items' } }] },
      'b',
    );
    const [plain, silenced, strict] = [under(), under(approved), under(blocked)];
    const compare = (other: typeof plain) => {
      const comparison = createComparison();
      for (let trace = 0; trace < 12; trace++) {
        const spans = searchTrace(trace, 0, '203.0.113.9', trace % 4 === 0 ? 'pair' : 'none');
        comparison.add(`t${trace}`, 1_000 + trace, 'GET /search', plain.judge(spans), other.judge(spans));
      }
      return comparison.result({ version: 'a', edited: 'b' }, { requests: 100, whole: false });
    };
    const fewer = compare(silenced);
    expect(fewer).toMatchObject({ judged: 12, requests: 100, whole: false, changed: 3, fromMs: 1_000, toMs: 1_011 });
    expect(fewer.incidents).toEqual({ keptAway: 1, made: 0 });
    expect(fewer.gone).toContainEqual(
      expect.objectContaining({ kind: 'service-pair', explanationKey: 'gateway → payments', hard: true, requests: 3 }),
    );
    expect(fewer.examples.map(({ traceId }) => traceId)).toEqual(['t0', 't4', 't8']);
    const more = compare(strict);
    expect(more).toMatchObject({ changed: 9, incidents: { keptAway: 0, made: 1 } });
    expect(more.added).toMatchObject([{ kind: 'blocked', hard: true, requests: 9 }]);
    expect(compare(plain)).toMatchObject({ changed: 0, gone: [], added: [], examples: [] });
  });

  it('says an edit in one line', () => {
    const body = editBody.parse({
      state: 'pinned',
      entry: 'POST /orders',
      required: [{ parent: { service: 'a', operation: 'x' }, child: { service: 'b' } }],
      thresholds: { structure: 0.9 },
    });
    expect(summaryOf(body)).toBe('POST /orders: a x must call b; structure similarity ≥ 0.9');
  });
});
