import { describe, expect, it } from 'vitest';
import { withOrigins } from '../../../detector/core/attributed.ts';
import { createGathering } from '../../../detector/core/gathering.ts';
import type { OriginAnswer } from '../../../schemas/log/origin.ts';
import type { ClientRecord } from '../../../schemas/log/verdict.ts';
import { clientOf, verdictOf } from '../responder/verdicts.ts';

const producer = (n: number) => ({ traceId: `${n}`.repeat(32), spanId: `${n}`.repeat(16) });
/** A client whose request was the trace of producer `n`. */
const clientAt = (n: number, address: string): ClientRecord => ({
  ...clientOf(address),
  entryTraceId: producer(n).traceId,
});
const answer = (n: number, clients: readonly ClientRecord[], state: OriginAnswer['state'] = 'known'): OriginAnswer => ({
  traceId: 'a'.repeat(32),
  entrySpanId: 'a'.repeat(16),
  producerTraceId: producer(n).traceId,
  producerSpanId: producer(n).spanId,
  clients,
  state: clients.length === 0 ? 'unknown' : state,
});

describe('answers about one segment', () => {
  it('are complete when it is known who is behind every producer', () => {
    const gathering = createGathering();
    expect(gathering.add([producer(1), producer(2)])).toHaveLength(2);
    expect(gathering.take(answer(2, [clientAt(2, '203.0.113.8')]))).toBe(true);
    expect([gathering.awaited, gathering.complete]).toEqual([1, false]);
    gathering.take(answer(1, [clientAt(1, '203.0.113.7')]));
    expect([gathering.awaited, gathering.complete]).toEqual([0, true]);
    // in the order of entries, whoever answered first
    expect(gathering.clients.map(({ address }) => address)).toEqual(['203.0.113.7', '203.0.113.8']);
  });

  it('are not while one of them is unknown, and may be later', () => {
    const gathering = createGathering();
    gathering.add([producer(1), producer(2)]);
    gathering.take(answer(1, [clientAt(1, '203.0.113.7')]));
    gathering.take(answer(2, []));
    expect([gathering.awaited, gathering.complete]).toEqual([0, false]);
    expect(gathering.take(answer(2, [clientAt(1, '203.0.113.7')]))).toBe(true); // nobody new, but now all is known
    expect(gathering.complete).toBe(true);
  });

  it('are not when a producer was itself caused by others that are not all known', () => {
    const gathering = createGathering();
    gathering.add([producer(1)]);
    gathering.take(answer(1, [clientAt(1, '203.0.113.7')], 'unknown'));
    expect([gathering.complete, gathering.clients.length]).toEqual([false, 1]);
  });

  it('are asked for again when more producers turn up', () => {
    const gathering = createGathering();
    gathering.add([producer(1)]);
    gathering.take(answer(1, [clientAt(1, '203.0.113.7')]));
    expect(gathering.add([producer(1), producer(3)])).toEqual([producer(3)]);
    expect([gathering.awaited, gathering.complete]).toEqual([1, false]);
  });

  it('say nothing new the second time', () => {
    const gathering = createGathering();
    gathering.add([producer(1)]);
    gathering.take(answer(1, [clientAt(1, '203.0.113.7')]));
    expect(gathering.take(answer(1, [clientAt(1, '203.0.113.7')]))).toBe(false);
  });

  it('keep 64 clients', () => {
    const gathering = createGathering();
    gathering.add([producer(1)]);
    const many = Array.from({ length: 100 }, (_, i) => ({
      ...clientOf(`203.0.113.${i}`),
      entryTraceId: `${i}`.padStart(32, '0'),
    }));
    gathering.take(answer(1, many));
    expect(gathering.clients).toHaveLength(64);
  });
});

describe('a batch of hundreds of messages', () => {
  const message = (n: number, address: string): ClientRecord => ({
    ...clientOf(address),
    entryTraceId: n.toString(16).padStart(32, '0'),
  });

  it('of one client does not hide the other who sent one of them', () => {
    for (const at of [0, 70, 299]) {
      const gathering = createGathering();
      gathering.add([producer(1)]);
      const many = Array.from({ length: 300 }, (_, n) => message(n, n === at ? '203.0.113.66' : '198.51.100.1'));
      gathering.take(answer(1, many));
      expect(gathering.clients.map(({ address }) => address).sort()).toEqual(['198.51.100.1', '203.0.113.66']);
    }
  });

  it('of hundreds of clients lists the same 64, whoever is answered first', () => {
    const all = Array.from({ length: 200 }, (_, n) => message(n, `198.51.100.${n}`));
    const listed = [all, [...all].reverse(), [...all.slice(90), ...all.slice(0, 90)]].map((order) => {
      const gathering = createGathering();
      gathering.add([producer(1)]);
      gathering.take(answer(1, order));
      return gathering.clients;
    });
    expect(listed[0]).toHaveLength(64);
    expect(listed[1]).toEqual(listed[0]);
    expect(listed[2]).toEqual(listed[0]);
  });

  it('takes nothing from an answer that nobody asked for', () => {
    const gathering = createGathering();
    gathering.add([producer(1)]);
    expect(gathering.take(answer(2, [clientAt(2, '203.0.113.8')]))).toBe(false);
    expect(gathering.clients).toEqual([]);
  });
});

describe('a verdict with origins', () => {
  const verdict = verdictOf({ client: null });

  it('names the one client behind all messages of a batch', () => {
    const named = withOrigins(verdict, [clientAt(1, '203.0.113.7'), clientAt(2, '203.0.113.7')], true);
    expect(named).toMatchObject({
      client: { address: '203.0.113.7', source: 'origin', entryTraceId: producer(1).traceId },
      originState: 'known',
      revision: verdict.revision + 1,
    });
    expect(named.origins).toHaveLength(2);
  });

  it('names the address that several people share, and none of them', () => {
    const alice = { ...clientAt(1, '203.0.113.7'), user: 'alice', session: 's1' };
    const bob = { ...clientAt(2, '203.0.113.7'), user: 'bob', session: 's2' };
    expect(withOrigins(verdict, [alice, bob], true).client).toMatchObject({
      address: '203.0.113.7',
      user: null,
      session: null,
    });
    expect(withOrigins(verdict, [alice, { ...bob, user: 'alice' }], true).client).toMatchObject({ user: 'alice' });
  });

  it('is no surer than the least sure of them', () => {
    const guess = { ...clientAt(2, '203.0.113.7'), confidence: 'low', reason: 'no-header-capture' } as const;
    expect(withOrigins(verdict, [clientAt(1, '203.0.113.7'), guess], true).client).toMatchObject({
      confidence: 'low',
      reason: 'no-header-capture',
    });
  });

  it('of which nothing becomes known says that', () => {
    expect(withOrigins(verdict, [], false)).toMatchObject({
      client: { address: null, reason: 'origin-unknown' },
      originState: 'unknown',
      revision: verdict.revision,
    });
  });

  it('names nobody of several, and lists them all', () => {
    const several = withOrigins(verdict, [clientAt(1, '203.0.113.7'), clientAt(2, '203.0.113.8')], true);
    expect(several).toMatchObject({
      client: { address: null, source: 'origin', confidence: 'none', reason: 'several-origins', user: null },
      originState: 'known',
      revision: verdict.revision + 1,
    });
    expect(several.origins.map(({ address }) => address)).toEqual(['203.0.113.7', '203.0.113.8']);
  });

  it('does not hold a batch against the only client that is known of it; a later answer amends that', () => {
    const partly = withOrigins(verdict, [clientAt(1, '203.0.113.7')], false);
    expect(partly).toMatchObject({ client: { address: null }, originState: 'unknown', revision: verdict.revision });
    const whole = withOrigins(partly, [clientAt(1, '203.0.113.7')], true);
    expect(whole).toMatchObject({ client: { address: '203.0.113.7' }, revision: verdict.revision + 1 });
  });
});
