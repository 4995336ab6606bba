/** What is kept where more names come than there is room for: nothing an attack sends, nothing an outsider can choose. */
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hashText } from '../../../baseline/parameters/hash.ts';
import { createParametersLearner, type ParametersPartial } from '../../../baseline/parameters/index.ts';
import { MAX_OPERATIONS, MAX_PARAMETERS, parameterKey } from '../../../baseline/parameters/partial.ts';
import { ParameterSource } from '../../../traces/segment.ts';
import { type PlainParameter, segmentOf } from '../traces/segments.ts';
import { entriesOf, learned, learner, optionsOf, request, symbols } from './shop.ts';

const ordered = (names: readonly string[], seed: number): string[] =>
  names
    .map((name) => [hashText(parameterKey(ParameterSource.query, name), seed), name] as const)
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);

/** Names that come first in an order everybody can compute. */
const CHOSEN = ordered(
  Array.from({ length: 4_000 }, (_, i) => `x${i}`),
  0x1b873593,
).slice(0, 200);

const query = (names: readonly string[]): PlainParameter[] =>
  names.map((name) => ({ source: 'query', name, value: '1' }));

const sent = (names: readonly string[], operation = 'GET /products') =>
  segmentOf(symbols, { service: 'catalog', operation, parameters: query(names) });

const namesOf = (partial: ParametersPartial): string[] =>
  [...partial.operations.map.values()].flatMap(({ parameters }) =>
    [...parameters.map.values()].map(({ name }) => name),
  );

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('names in quarantined requests', () => {
  test('take no place of those that are learned, and are counted', () => {
    const partial = learned(400);
    for (let i = 0; i < 10; i++) {
      const extra = query(CHOSEN.slice(i * 20, i * 20 + 20));
      learner.learn(partial, request(i, { extra }), { bucket: i, client: 9, quarantined: true });
    }
    const entries = entriesOf(learner.compile(partial, optionsOf()));
    const parameters = entries.filter(({ kind }) => kind === 'parameter');
    expect(parameters.map(({ key }) => key.split(' · ').at(-1)!)).toEqual(expect.arrayContaining(['q', 'id']));
    expect(parameters).toHaveLength(
      entriesOf(learner.compile(learned(400), optionsOf())).filter(({ kind }) => kind === 'parameter').length,
    );
    const q = parameters.find(({ key }) => key.endsWith(' · q'))!;
    expect(JSON.parse(q.value)).toMatchObject({ quarantined: 10 });
  });

  test('no operation either, however many they make up, and memory stays bounded', () => {
    const partial = learned(50);
    const before = partial.operations.map.size;
    const quiet = learner.encode(partial).length;
    for (let i = 0; i < 9_000; i++) {
      learner.learn(partial, sent([`n${i}`], `GET /${i % 4_000}`), { bucket: 1, client: 9, quarantined: true });
    }
    expect(partial.operations.map.size).toBe(before);
    expect(learner.encode(partial).length).toBeLessThan(quiet + 100_000);
  });

  test('are counted alike whatever was learned before them', () => {
    const attack = request(1, { extra: query(['never']) });
    const usual = request(2, { extra: query(['never']) });
    const partials = [[attack, usual] as const, [usual, attack] as const].map((segments) => {
      const partial = learner.createPartial();
      for (const segment of segments) {
        learner.learn(partial, segment, { bucket: 1, client: 2, quarantined: segment === attack });
      }
      return hex(learner.encode(partial));
    });
    expect(partials[0]).toBe(partials[1]);
  });
});

describe('where a bound cuts', () => {
  test('nobody without the key of the installation chooses what is kept', () => {
    const partial = learner.createPartial();
    const usual = Array.from({ length: 200 }, (_, i) => `usual${i}`);
    for (const name of [...usual, ...CHOSEN]) {
      learner.learn(partial, sent([name]), { bucket: 1, client: 9, quarantined: false });
    }
    learner.encode(partial);
    const kept = namesOf(partial);
    expect(kept).toHaveLength(MAX_PARAMETERS);
    expect(kept.filter((name) => name.startsWith('usual')).length).toBeGreaterThan(MAX_PARAMETERS / 3);
  });

  test('another key keeps others', () => {
    const kept = ['a', 'b'].map((hashKey) => {
      const other = createParametersLearner({ hashKey });
      const partial = other.createPartial();
      for (const name of CHOSEN) other.learn(partial, sent([name]), { bucket: 1, client: 9, quarantined: false });
      for (let i = 0; i < 200; i++) other.learn(partial, sent([`y${i}`]), { bucket: 1, client: 9, quarantined: false });
      other.encode(partial);
      return new Set(namesOf(partial));
    });
    const both = [...kept[0]!].filter((name) => kept[1]!.has(name)).length;
    expect(both).toBeLessThan(MAX_PARAMETERS * 0.75);
  });

  test('what is kept, and its counts, are the same however the segments are split and merged', () => {
    const event = fc.record({
      name: fc.integer({ min: 0, max: 700 }),
      operation: fc.constantFrom('GET /a', 'GET /b'),
      quarantined: fc.constantFrom(false, false, false, true),
    });
    const part = fc.array(event, { minLength: 300, maxLength: 500 });
    type Part = readonly { name: number; operation: string; quarantined: boolean }[];
    const partialOf = (...parts: readonly Part[]): ParametersPartial => {
      const partial = learner.createPartial();
      for (const { name, operation, quarantined } of parts.flat()) {
        const segment = sent([`n${name}`], operation);
        learner.learn(partial, segment, { bucket: name % 9, client: 1 + (name % 4), quarantined });
      }
      return partial;
    };
    fc.assert(
      fc.property(part, part, part, (a, b, c) => {
        const whole = hex(learner.encode(partialOf(a, b, c)));
        const left = partialOf(a);
        learner.merge(left, partialOf(b));
        learner.merge(left, learner.decode(learner.encode(partialOf(c))));
        expect(hex(learner.encode(left))).toBe(whole);
        const right = partialOf(c);
        const inner = partialOf(b);
        learner.merge(inner, partialOf(a));
        learner.merge(right, inner);
        expect(hex(learner.encode(right))).toBe(whole);
      }),
      { numRuns: 6, seed: 4 },
    );
  });
});

describe('partials of before, cut under a public key', () => {
  const BYTES = gunzipSync(
    Buffer.from(
      'H4sIAAAAAAACA2MKCA/+////f0YGBgZ+BgaGYoXi1KKy1CIFd9cQBf1EkHAxGwMDA4TLzEBfwAilSbOXhVyrmIhRKItgCohAGQkKDAwNQMjAwMXBwKAkcOaUqAouuZPOR0xwyclIcHnikqsIMxFihDoUhAsZRiODwR1K8+CJDA4GBgVccowMDAZ45BzwyAXgknPUKMvCJcd8OKIYl9y+N/H9eOxbgEuOgYHhAx45MABlcRANABxOUInvAwAA',
      'base64',
    ),
  );

  test('are read: what they hold counts, that they were cut is remembered, and no more is cut for it', () => {
    const partial = learner.decode(BYTES);
    const [operation] = partial.operations.map.values();
    expect(namesOf(partial)).toEqual(['q']);
    expect(operation!.parameters.bound).toBe(0xfffffffe);
    expect(operation!.calls.bound).toBe(0xffffffff);
    expect(partial.operations.bound).toBe(0xffffffff);
    learner.merge(partial, learned(40));
    expect(namesOf(partial)).toEqual(expect.arrayContaining(['q', 'id', 'user-agent']));
    expect(partial.operations.map.size).toBeLessThan(MAX_OPERATIONS);
    expect(hex(learner.encode(learner.decode(learner.encode(partial))))).toBe(hex(learner.encode(partial)));
  });
});
