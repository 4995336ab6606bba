/** Operators' edits (DETECTION §8): each clause changes the verdict as it says, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createEditJudge } from '../../../baseline/edits/judge.ts';
import { createEvidence, createStructureMatch, type Evidence, JudgementStage } from '../../../baseline/model.ts';
import { editBody, editsInForce, type Novelty, nextExpiryMs } from '../../../schemas/baselines/edit.ts';
import type { Finding, Group } from '../../../schemas/log/verdict.ts';
import { loadInto, newKit, orderTrace, searchTrace } from '../detector/traffic.ts';
import { EPOCH_MS, segmentSpansOf, type WireSpan } from '../traces/otlp.ts';
import { edit, kinds, under } from './judged.ts';

const byGroup = (make: () => Evidence): Record<Group, Evidence> => ({
  structure: make(),
  timing: make(),
  parameters: make(),
  status: make(),
});

const CLIENT = '203.0.113.9';
const SEARCH = { service: 'gateway', operation: 'GET /search' };
const CALL = { service: 'gateway', operation: 'GET' };
const ITEMS = { service: 'catalog', operation: 'GET /items' };
const QUERY = { service: 'catalog', operation: 'SELECT items' };

const normal = searchTrace(5, 0, CLIENT);
const pair = searchTrace(5, 0, CLIENT, 'pair');
const statement = searchTrace(5, 0, CLIENT, 'statement');
/** Without the catalog's query. */
const cut = normal.slice(0, 3);
/** The query n times, one after the other. */
const repeated = (n: number): WireSpan[] => [
  ...normal,
  ...Array.from({ length: n - 1 }, (_, i) => ({
    ...normal[3]!,
    spanId: `${(i + 1).toString(16).padStart(15, 'a')}f`,
    start: 12 + (i * 8) / n,
    end: 12 + ((i + 1) * 8) / n,
  })),
];

const pairApproved = edit({
  state: 'approved',
  approve: [
    { kind: 'service-pair', explanationKey: 'gateway → payments', service: 'payments', operation: 'GET /items' },
    { kind: 'required-child', explanationKey: 'gateway client GET → catalog server GET /items' },
  ],
});

describe('a version without edits', () => {
  it('says of every request exactly what it would say under edits that concern nothing of it', () => {
    const plain = under();
    const other = under(
      edit({ state: 'pinned', entry: 'GET /nowhere', required: [{ parent: SEARCH, child: { service: 'nobody' } }] }),
      edit({ state: 'approved', approve: [{ kind: 'egress', explanationKey: 'GET /search · public' }] }, 'b'),
    );
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 10_000 }),
        fc.constantFrom('none', 'pair', 'statement'),
        fc.integer({ min: 1, max: 40 }),
        (trace, oddity, client) => {
          const spans = searchTrace(trace, 0, `198.51.100.${client}`, oddity as 'none');
          const said = plain.judge(spans);
          const under = other.judge(spans);
          expect({ ...under, match: { ...under.match, version: said.match.version } }).toEqual(said);
        },
      ),
      { numRuns: 60, seed: 8 },
    );
  });

  it('is the same version under no edits, and another under any', () => {
    const plain = under().baseline;
    expect(plain.withEdits([])).toBe(plain);
    const edited = plain.withEdits([pairApproved]);
    expect(edited.version).not.toBe(plain.version);
    expect(edited.withEdits([pairApproved])).toBe(edited);
    expect(edited.manifest).toMatchObject({ kind: 'edited', parent: plain.version, source: plain.version });
    expect(edited.edits).toEqual([pairApproved]);
  });

  it('keeps its edits when it is loaded from its entries', () => {
    const edited = under(pairApproved);
    const loaded = loadInto([...edited.baseline.entries()], newKit());
    expect(loaded.version).toBe(edited.baseline.version);
    expect(loaded.edits).toEqual([pairApproved]);
  });
});

describe('approved', () => {
  it('an approved novelty is gone with what only follows from it, and the verdict fits', () => {
    const before = under().judge(pair);
    expect(kinds(before)).toEqual(expect.arrayContaining(['service-pair', 'child-set']));
    const after = under(pairApproved).judge(pair);
    expect(before.p).toBeLessThan(after.p);
    expect(after.findings).toEqual([]);
    expect(after.anomalous).toBe(false);
    expect(after.groups.structure).toBe(1);
    expect(after.match.deviation.max).toBe(0);
  });

  it('another attack on the same operation is still found', () => {
    const edited = under(pairApproved);
    const said = edited.judge(statement);
    expect(said.findings.map(({ kind, hard }) => [kind, hard])).toContainEqual(['statement', true]);
    expect(said.p).toBe(under().judge(statement).p);
    const another: WireSpan = { ...pair[2]!, spanId: 'abcdefabcdef0001', parent: pair[1]!.spanId!, service: 'worker' };
    expect(edited.judge([...pair, another]).findings.filter(({ hard }) => hard)).toMatchObject([
      { kind: 'service-pair', explanationKey: 'gateway → worker' },
    ]);
  });

  it('holds only at the operation it names', () => {
    const elsewhere = edit({
      state: 'approved',
      approve: [
        { kind: 'service-pair', explanationKey: 'gateway → payments', service: 'payments', operation: 'POST /pay' },
      ],
    });
    expect(kinds(under(elsewhere).judge(pair))).toContain('service-pair');
    const otherEntry = { ...pairApproved, entry: 'POST /orders' };
    expect(kinds(under(otherEntry).judge(pair))).toContain('service-pair');
  });

  it('an approval at one operation hides no other of the same explanation in the same request', () => {
    const [, , third, fourth] = pair;
    const paid: WireSpan = {
      ...third!,
      spanId: 'abcdefabcdef0004',
      name: 'POST /pay',
      attributes: { ...third!.attributes, 'http.request.method': 'POST', 'http.route': '/pay' },
    };
    const said = under(pairApproved).judge([...pair.slice(0, 2), third!, fourth!, paid]);
    expect(said.findings.filter(({ hard }) => hard)).toMatchObject([
      { kind: 'service-pair', explanationKey: 'gateway → payments', operation: 'POST /pay' },
    ]);
  });

  it('where more deviates than is kept, nothing of the surprise is explained away', () => {
    const kit = newKit();
    kit.reader.read(segmentSpansOf(normal, { appendMs: EPOCH_MS + 50 }), kit.segment);
    const [one] = under()
      .judge(pair)
      .findings.filter(({ kind }) => kind === 'service-pair');
    const judge = createEditJudge([pairApproved])!;
    const revised = (unlisted: Finding[] | undefined) => {
      const evidence = byGroup(createEvidence);
      Object.assign(evidence.structure, { surprise: 4, findings: [one] });
      const match = createStructureMatch();
      judge.revise(kit.segment, JudgementStage.absence, evidence, match, [0.9, 0.9, 0.9], (group) =>
        group === 'structure' ? unlisted : [],
      );
      return evidence.structure;
    };
    expect(revised(undefined)).toMatchObject({ surprise: 4, findings: [] });
    expect(revised([])).toMatchObject({ surprise: 0, findings: [] });
    const other: Finding = { ...one!, explanationKey: 'gateway → worker', p: 1e-3, spanId: 'other' };
    expect(revised([other])).toMatchObject({ surprise: 3, findings: [other] });
  });

  it('does not hold at an entry operation that nobody ever saw, however alike', () => {
    const unseen = pair.map((span, i) =>
      i === 0 ? { ...span, name: 'GET /secret', attributes: { ...span.attributes, 'http.route': '/secret' } } : span,
    );
    const before = under().judge(unseen);
    expect(before.match.family).toBe('GET /search');
    const approve = before.findings.map(({ kind, explanationKey }) => ({ kind, explanationKey }) as Novelty);
    expect(approve.map(({ kind }) => kind)).toContain('service-pair');
    const signature = [...under().baseline.entries()].find(
      ({ kind, key }) => kind === 'signature' && key.startsWith('gateway server GET /search'),
    )!.key;
    for (const where of [{ entry: 'GET /search' }, { signature }]) {
      const said = under(edit({ state: 'approved', approve, ...where })).judge(unseen);
      expect([said.p, said.findings]).toEqual([before.p, before.findings]);
      const forbidding = edit({ state: 'pinned', forbidden: [{ child: CALL }], ...where });
      expect(kinds(under(forbidding).judge(unseen))).not.toContain('blocked');
      expect(kinds(under(forbidding).judge(normal))).toContain('blocked');
    }
    const said = under(edit({ state: 'approved', approve, entry: 'GET /secret' })).judge(unseen);
    expect(said.findings).toEqual([]);
  });

  it('an optional child breaks no rule by its absence', () => {
    const found = under().judge(cut);
    expect(kinds(found)).toContain('required-child');
    const said = under(edit({ state: 'approved', optional: [{ parent: ITEMS, child: QUERY }] })).judge(cut);
    expect(said.findings.filter(({ group }) => group === 'structure')).toEqual([]);
    expect(said.groups.structure).toBe(1);
    expect(said.match.similarity.structure).toBe(1);
  });

  it('a count range keeps a fan-out inside of it from being told, and one beyond still is', () => {
    const edited = under(edit({ state: 'approved', counts: [{ parent: ITEMS, child: QUERY, max: 50 }] }));
    expect(kinds(under().judge(repeated(40)))).toContain('fan-out');
    expect(kinds(edited.judge(repeated(40)))).not.toContain('fan-out');
    expect(kinds(edited.judge(repeated(60)))).toContain('fan-out');
  });

  it('a draft and a retired edit change nothing', () => {
    expect(kinds(under({ ...pairApproved, state: 'learning' }).judge(pair))).toContain('service-pair');
    expect(editsInForce([pairApproved, { ...pairApproved, revision: 2, state: 'retired' }], 0)).toEqual([]);
  });
});

describe('pinned and blocked', () => {
  it('a forbidden call is a hard finding of kind blocked, outside of the baseline', () => {
    const said = under(
      edit({ state: 'blocked', owner: 'payments team', forbidden: [{ parent: SEARCH, child: CALL }] }),
    ).judge(normal);
    expect(said.findings[0]).toMatchObject({
      kind: 'blocked',
      hard: true,
      explanationKey: 'gateway GET /search → gateway GET',
      expected: expect.stringContaining('edit an-edit of payments team'),
    });
    expect(said.match.deviation.structure).toBeGreaterThan(1);
    expect(said.match.text).toContain('is blocked');
    expect(said.p).toBeLessThan(under().judge(normal).p);
    expect(said.anomalous).toBe(true);
    const any = under(edit({ state: 'pinned', forbidden: [{ child: { service: 'catalog' } }] }));
    expect(kinds(any.judge(normal))).toContain('blocked');
    expect(kinds(any.judge(pair))).not.toContain('blocked');
  });

  it('a caller is seen through its own side of the call, and no further', () => {
    const through = under(edit({ state: 'blocked', forbidden: [{ parent: SEARCH, child: ITEMS }] }));
    expect(kinds(through.judge(normal))).toContain('blocked');
    const further = under(edit({ state: 'blocked', forbidden: [{ parent: SEARCH, child: QUERY }] }));
    expect(kinds(further.judge(normal))).not.toContain('blocked');
  });

  it('a blocked signature is found where a request has it, and no approval takes it away', () => {
    const plain = under();
    const signature = [...plain.baseline.entries()].find(
      ({ kind, key }) => kind === 'signature' && key.startsWith('gateway server GET /search'),
    )!.key;
    const blocked = edit({ state: 'blocked', signature }, 'b');
    const said = under(blocked, edit({ state: 'pinned', optional: [{ parent: SEARCH, child: CALL }] })).judge(normal);
    expect(said.findings).toMatchObject([{ kind: 'blocked', evidence: 'absence', explanationKey: signature }]);
    expect(under(blocked).judge(orderTrace(3, 0, CLIENT)).findings).toEqual([]);
  });

  it('a blocked signature waits until a request is whole: how it begins is how others do', () => {
    const plain = under();
    const signature = [...plain.baseline.entries()].find(
      ({ kind, key }) => kind === 'signature' && key.startsWith('gateway server GET /search'),
    )!.key;
    const blocked = under(edit({ state: 'blocked', signature }));
    const begun = normal.slice(0, 2);
    expect(plain.judge(begun, JudgementStage.closed).match.similarity.structure).toBe(1);
    for (const stage of [JudgementStage.provisional, JudgementStage.closed])
      expect(kinds(blocked.judge(begun, stage))).not.toContain('blocked');
    expect(kinds(blocked.judge(begun))).not.toContain('blocked');
    const lost: WireSpan = { ...normal[3]!, spanId: 'abcdefabcdef0002', parent: 'abcdefabcdef0003' };
    expect(kinds(blocked.judge([...normal, lost]))).not.toContain('blocked');
    expect(kinds(blocked.judge(normal))).toContain('blocked');
  });

  it('a pinned requirement is judged when absence is, on calls that succeeded', () => {
    const edited = under(
      edit({ state: 'pinned', required: [{ parent: SEARCH, child: { service: 'auth', operation: 'Check' } }] }),
    );
    expect(edited.judge(normal, JudgementStage.closed).findings).toEqual([]);
    expect(edited.judge(normal).findings).toMatchObject([
      { kind: 'required-child', hard: true, evidence: 'absence', seen: 'it succeeded without auth Check' },
    ]);
    const failed = normal.map((span, i) =>
      i === 0 ? { ...span, attributes: { ...span.attributes, 'http.response.status_code': 403 } } : span,
    );
    expect(kinds(edited.judge(failed))).not.toContain('required-child');
  });

  it('a pinned count range is enforced at both ends', () => {
    const edited = under(edit({ state: 'pinned', counts: [{ parent: ITEMS, child: QUERY, min: 2, max: 3 }] }));
    expect(edited.judge(normal).findings).toMatchObject([{ kind: 'required-child', seen: 'called once' }]);
    expect(edited.judge(repeated(2)).findings.filter(({ hard }) => hard)).toEqual([]);
    const many = edited.judge(repeated(4)).findings.find(({ kind, hard }) => kind === 'fan-out' && hard);
    expect(many).toMatchObject({ seen: 'called 4 times', explanationKey: 'catalog GET /items → catalog SELECT items' });
  });

  it('a pinned order is broken by what begins too early', () => {
    const edited = under(
      edit({ state: 'pinned', order: [{ parent: SEARCH, before: { service: 'auth' }, after: CALL }] }),
    );
    expect(edited.judge(normal).findings.filter(({ hard }) => hard)).toMatchObject([{ kind: 'order' }]);
    const right = under(edit({ state: 'pinned', order: [{ parent: SEARCH, before: CALL, after: ITEMS }] }));
    expect(right.judge(normal).findings).toEqual([]);
  });

  it('a latency override replaces what was learned, either way', () => {
    const slow = normal.map((span) => (span.start === 0 ? { ...span, end: 400_000 } : span));
    expect(
      under()
        .judge(slow)
        .findings.filter(({ group }) => group === 'timing'),
    ).not.toEqual([]);
    const wide = under(edit({ state: 'approved', latency: [{ call: SEARCH, maxMs: 600_000 }] })).judge(slow);
    expect(wide.findings.filter(({ group }) => group === 'timing')).toEqual([]);
    expect(wide.groups.timing).toBe(1);
    const tight = under(edit({ state: 'pinned', latency: [{ call: SEARCH, maxMs: 10 }] })).judge(normal);
    expect(tight.findings).toMatchObject([{ kind: 'latency', hard: true, group: 'timing' }]);
    expect(tight.match).toMatchObject({ worst: 'timing' });
    expect(tight.match.deviation.timing).toBeGreaterThan(1);
  });

  it('a parameter outside of its constraint is found by its shape, and the finding holds no value', () => {
    const spans = normal.map((span, i) =>
      i === 0
        ? { ...span, attributes: { ...span.attributes, 'url.path': '/search', 'url.query': 'q=top-secret' } }
        : span,
    );
    const constrained = (types: ('integer' | 'identifier')[]) =>
      under(edit({ state: 'pinned', parameters: [{ call: SEARCH, name: 'q', types, maxLength: 64 }] }));
    const said = constrained(['integer']).judge(spans);
    const found = said.findings.find(({ kind, hard }) => kind === 'parameter' && hard);
    expect(found).toMatchObject({
      parameter: 'q',
      explanationKey: 'GET /search · q',
      expected: expect.stringContaining('integer'),
    });
    expect(JSON.stringify(said)).not.toContain('top-secret');
    expect(kinds(constrained(['identifier']).judge(spans))).not.toContain('parameter');
  });
});

describe('thresholds', () => {
  const slower = normal.map((span) => (span.start === 0 ? { ...span, end: 500 } : span));

  it('raising the threshold of a family changes verdicts; both thresholds are shown', () => {
    const before = under().judge(slower);
    const { similarity } = before.match;
    const raised = Math.min(0.999, similarity.timing + (1 - similarity.timing) / 2);
    expect(similarity.timing).toBeLessThan(0.99);
    const lowered = under(edit({ state: 'approved', entry: 'GET /search', thresholds: { timing: 0.05 } }));
    const after = lowered.judge(slower);
    expect(after.match.threshold.timing).toBe(0.05);
    expect(after.match.learnedThreshold).toEqual({ timing: before.match.threshold.timing });
    expect(after.match.deviation.timing).toBeLessThan(before.match.deviation.timing);
    expect(after.findings.filter(({ group, hard }) => group === 'timing' && !hard)).toEqual([]);
    expect(after.groups.timing).toBe(1);
    const strict = under(
      edit({ state: 'pinned', entry: 'GET /search', thresholds: { timing: Math.max(raised, 0.995) } }),
    );
    const said = strict.judge(slower);
    expect(said.anomalous).toBe(true);
    expect(said.match.deviation.timing).toBeGreaterThan(before.match.deviation.timing);
    expect(said.match.text).toMatch(/operator ≥ 0\.99\d, learned ≥ 0\.\d\d from/);
  });

  it('a request below a raised threshold is outside whatever its p; inside a lowered one soft evidence is none', () => {
    const kit = newKit();
    kit.reader.read(segmentSpansOf(normal, { appendMs: EPOCH_MS + 50 }), kit.segment);
    const [blocked] = under(edit({ state: 'blocked', forbidden: [{ child: CALL }] })).judge(normal).findings;
    const soft = [{ ...blocked!, kind: 'latency' as const, group: 'timing' as const, hard: false }];
    const held = (timing: number, similarity: number) => {
      const judge = createEditJudge([edit({ state: 'approved', thresholds: { timing } })])!;
      const evidence = byGroup(createEvidence);
      Object.assign(evidence.timing, { similarity, surprise: 3, severity: 2, findings: soft });
      judge.revise(kit.segment, JudgementStage.absence, evidence, createStructureMatch(), [0.9, 0.9, 0.9]);
      return { outside: judge.outside, ...evidence.timing };
    };
    expect(held(0.98, 0.97)).toMatchObject({ outside: true, surprise: 3, findings: soft });
    expect(held(0.98, 0.99)).toMatchObject({ outside: false, surprise: 3, findings: soft });
    expect(held(0.8, 0.85)).toMatchObject({ outside: false, surprise: 0, severity: 0, findings: [] });
    expect(held(0.8, 0.75)).toMatchObject({ outside: false, surprise: 3, findings: soft });
  });

  it('the family of another entry operation keeps what was learned', () => {
    const other = under(edit({ state: 'approved', entry: 'POST /orders', thresholds: { timing: 0.5 } })).judge(slower);
    expect(other.match.learnedThreshold).toBeUndefined();
  });
});

describe('documents', () => {
  it('an edit ends by the time a version is cut, not by a clock', () => {
    const ending = { ...pairApproved, expiresMs: 1_000 };
    expect(editsInForce([ending], 999)).toEqual([ending]);
    expect(editsInForce([ending], 1_000)).toEqual([]);
    expect(nextExpiryMs([ending, pairApproved], 0)).toBe(1_000);
    expect(nextExpiryMs([pairApproved], 0)).toBe(Number.POSITIVE_INFINITY);
  });

  it('what an edit cannot mean is refused', () => {
    const refused = (input: object): string =>
      (editBody.safeParse(input).error?.issues ?? []).map(({ message }) => message).join('; ');
    expect(refused({ state: 'approved' })).toContain('says nothing');
    expect(refused({ state: 'blocked', entry: 'GET /x' })).toContain('blocked needs');
    expect(refused({ state: 'approved', forbidden: [{ child: { service: 'a' } }] })).toContain('pinned or blocked');
    expect(refused({ state: 'pinned', counts: [{ parent: SEARCH, child: CALL, min: 3, max: 2 }] })).toContain('min');
    expect(refused({ state: 'pinned', thresholds: { structure: 1 } })).not.toBe('');
    expect(refused({ state: 'approved', approve: [{ kind: 'blocked', explanationKey: 'x' }] })).not.toBe('');
    expect(refused({ state: 'approved', surprise: 1, approve: [{ kind: 'egress', explanationKey: 'x' }] })).not.toBe(
      '',
    );
  });
});
