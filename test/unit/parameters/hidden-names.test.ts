/** Names that few sent are hashes in a version, and everything is judged as if they were text. */
import { describe, expect, test } from 'vitest';
import type { Model } from '../../../baseline/model.ts';
import type { ParametersPartial } from '../../../baseline/parameters/index.ts';
import { createSymbols } from '../../../traces/symbols.ts';
import { segmentOf } from '../traces/segments.ts';
import { entriesOf, learner, learnInto, optionsOf, request, score, symbols } from './shop.ts';

const SECRET = 'LancelotPassphrase';

/** 2,000 requests; `few` of them, of one client, carry the name. */
const learnedWith = (name: string, few: number, clients = 1): ParametersPartial => {
  const partial = learner.createPartial();
  for (let i = 0; i < 2_000; i++) {
    const has = i % 50 === 7 && i < few * 50;
    const extra = has ? [{ source: 'query' as const, name, value: String(10 + (i % 40)) }] : [];
    learnInto(partial, i, request(i, { extra }), has ? 1 + (((i / 50) % clients) | 0) : undefined);
  }
  return partial;
};

const linesOf = (model: Model): string => JSON.stringify(entriesOf(model));

describe('a parameter name', () => {
  test.each(['query', 'body', 'header'] as const)('of one client is no text in a version: %s', (source) => {
    const partial = learner.createPartial();
    for (let i = 0; i < 1_000; i++) {
      const extra = i % 10 === 0 ? [{ source, name: SECRET, value: '1' }] : [];
      learnInto(partial, i, request(i, { extra }), i % 10 === 0 ? 3 : undefined);
    }
    const lines = linesOf(learner.compile(partial, optionsOf()));
    expect(lines).toContain('· id');
    expect(lines).not.toContain(SECRET);
    expect(lines).not.toContain(SECRET.slice(0, 8));
    expect(lines).toMatch(/· ~[0-9a-f]{16}"/);
  });

  test('that several clients sent at several times is text', () => {
    expect(linesOf(learner.compile(learnedWith('voucher', 40, 20), optionsOf()))).toContain('· voucher');
    expect(linesOf(learner.compile(learnedWith('voucher', 40, 1), optionsOf()))).not.toContain('voucher');
  });

  test('that is a hash is found: its profile judges, also once loaded by another process', () => {
    // Enough to leave observation, from too few clients to be admitted.
    const partial = learner.createPartial();
    for (let i = 0; i < 2_000; i++) {
      const has = i % 4 === 0;
      const extra = has ? [{ source: 'query' as const, name: SECRET, value: String(100 + (i % 300)) }] : [];
      learnInto(partial, i, request(i, { extra }), has ? 1 + (i % 8) / 4 : undefined);
    }
    const model = learner.compile(partial, optionsOf());
    expect(linesOf(model)).not.toContain(SECRET);
    const fresh = createSymbols({ maxTexts: 1_000, maxLabels: 100 });
    const loaded = learner.load(entriesOf(model), fresh);
    expect(linesOf(loaded)).toBe(linesOf(model));
    const asked = (value: string, from = symbols) =>
      segmentOf(from, {
        service: 'catalog',
        operation: 'GET /products',
        parameters: [
          { source: 'query', name: 'q', value: 'hat' },
          { source: 'query', name: 'id', value: '1037' },
          { source: 'query', name: SECRET, value },
          { source: 'header', name: 'user-agent', value: 'curl/8.1' },
        ],
      });
    const finding = (value: string) =>
      score(model, asked(value)).findings.find(({ parameter }) => parameter === SECRET);
    expect(finding('140')).toBeUndefined();
    // Its own profile speaks, not "a parameter name never seen here".
    expect(finding('<b>x</b> of nothing')?.expected).toContain('integer');
    const again = score(loaded, asked('<b>x</b> of nothing', fresh));
    expect(again).toEqual({ ...score(model, asked('<b>x</b> of nothing')), findings: again.findings });
    expect(again.findings.map(({ seen }) => seen)).toEqual(
      score(model, asked('<b>x</b> of nothing')).findings.map(({ seen }) => seen),
    );
  });

  test('that is a hash in one operation and text in another is one name to their service', () => {
    const name = 'sortOrder';
    const partial = learner.createPartial();
    const at = (operation: string, value: string) =>
      segmentOf(symbols, { service: 'catalog', operation, parameters: [{ source: 'query', name, value }] });
    for (let i = 0; i < 1_000; i++) {
      learnInto(partial, i, at('GET /often', String(100 + (i % 300))));
      if (i % 100 === 0) learnInto(partial, i, at('GET /seldom', '120'), 4);
      else learnInto(partial, i, segmentOf(symbols, { service: 'catalog', operation: 'GET /seldom' }));
    }
    const model = learner.compile(partial, optionsOf());
    const keys = entriesOf(model).flatMap(({ kind, key }) => (kind === 'parameter' ? [key] : []));
    expect(keys.filter((key) => key.endsWith(`· ${name}`))).toHaveLength(1);
    expect(keys.filter((key) => key.includes('· ~'))).toHaveLength(1);
    // The rare one is in observation: what is known of the name elsewhere judges it.
    const { findings, observed } = score(model, at('GET /seldom', "<b>x</b> 'of' nothing"));
    expect(observed).toBeGreaterThan(0);
    expect(findings.some(({ parameter, expected }) => parameter === name && expected?.includes('integer'))).toBe(true);
    expect(score(model, at('GET /seldom', '130')).findings).toEqual([]);
  });
});
