/** What is kept where more names come than there is room for: nothing an attack sends, nothing an outsider can choose. */
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyOf, timesOf } from '../../../baseline/parameters/counts.ts';
import { Kind } from '../../../baseline/parameters/features.ts';
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

  test('up to it counts are the same however the segments are split and merged', () => {
    const event = fc.record({
      name: fc.integer({ min: 0, max: MAX_PARAMETERS - 1 }),
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

describe('names that are established', () => {
  const HONEST = 24;
  const CLIENTS = 40;
  interface Sent {
    readonly names: readonly string[];
    readonly client: number;
    readonly bucket: number;
  }
  /** Every honest name six times, by as many clients in as many buckets. */
  const honest: readonly Sent[] = Array.from({ length: HONEST * 6 }, (_, i) => ({
    names: [`usual${i % HONEST}`],
    client: 100 + (Math.imul(i, 7) % CLIENTS),
    bucket: Math.floor(i / HONEST),
  }));
  /** Made-up names, of a few clients, one or many a request, again and again or once. */
  const flood = fc
    .record({
      names: fc.integer({ min: 400, max: 1_500 }),
      each: fc.constantFrom(1, 3, 40),
      clients: fc.constantFrom(1, 2, 3),
      times: fc.constantFrom(1, 2),
    })
    .map(({ names, each, clients, times }): Sent[] =>
      Array.from({ length: Math.ceil(names / each) * clients * times }, (_, i) => ({
        names: Array.from({ length: each }, (_, n) => `made${(Math.floor(i / clients) * each + n) % names}`),
        client: 1 + (i % clients),
        bucket: i % 6,
      })),
    );
  const learnAll = (all: readonly Sent[]): ParametersPartial => {
    const partial = learner.createPartial();
    for (const { names, client, bucket } of all) {
      learner.learn(partial, sent(names), { bucket, client, quarantined: false });
    }
    return partial;
  };

  test('are never displaced by made-up ones, however they come, in however many partials', () => {
    const spread = fc.record({
      flood,
      parts: fc.integer({ min: 1, max: 5 }),
      seed: fc.integer(),
      backwards: fc.boolean(),
    });
    fc.assert(
      fc.property(spread, ({ flood: made, parts, seed, backwards }) => {
        const all = [...honest, ...made]
          .map((one, i) => [hashText(String(i), seed), one] as const)
          .sort(([a], [b]) => a - b)
          .map(([, one]) => one);
        const partials = Array.from({ length: parts }, (_, part) => learnAll(all.filter((_, i) => i % parts === part)));
        const whole = learner.createPartial();
        for (const partial of backwards ? partials.reverse() : partials) {
          learner.merge(whole, learner.decode(learner.encode(partial)));
        }
        learner.encode(whole);
        const [operation] = whole.operations.map.values();
        expect(operation!.parameters.map.size).toBeLessThanOrEqual(MAX_PARAMETERS);
        for (let i = 0; i < HONEST; i++) {
          const kept = operation!.parameters.map.get(parameterKey(ParameterSource.query, `usual${i}`));
          // one or two may be gone from before it was known to be of others than those who flood
          expect(kept && timesOf(kept.counts, keyOf(Kind.total, 0)), `usual${i}`).toBeGreaterThanOrEqual(4);
        }
      }),
      { numRuns: 15, seed: 11, endOnFailure: true },
    );
  });

  test('stay where made-up ones are established too, as theirs are more clients', () => {
    const made = Array.from({ length: 400 }, (_, i) => `made${i}`);
    const all = [0, 1, 2, 3, 4, 5].flatMap((bucket) => [
      ...honest.filter((one) => one.bucket === bucket),
      ...[1, 2, 3].map((client) => ({ names: made, client, bucket })),
    ]);
    const partial = learnAll(all);
    learner.encode(partial);
    expect(namesOf(partial).filter((name) => name.startsWith('usual'))).toHaveLength(HONEST);
    expect(namesOf(partial)).toHaveLength(MAX_PARAMETERS);
  });

  test('come back after they were cut while nobody knew them', () => {
    const made = (from: number, count: number, bucket: number): Sent[] =>
      Array.from({ length: count }, (_, i) => ({ names: [`made${from + i}`], client: 1, bucket }));
    // cut among names of one client, and then sent by many
    const late = Array.from({ length: 40 }, (_, i) => ({ names: ['late'], client: 200 + (i % 20), bucket: i % 8 }));
    const partial = learnAll([
      { names: ['late'], client: 1, bucket: 0 },
      ...made(0, 2_000, 0),
      ...late,
      ...made(2_000, 2_000, 9),
    ]);
    learner.encode(partial);
    const [operation] = partial.operations.map.values();
    const kept = operation!.parameters.map.get(parameterKey(ParameterSource.query, 'late'));
    expect(timesOf(kept!.counts, keyOf(Kind.total, 0))).toBeGreaterThanOrEqual(40);
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
