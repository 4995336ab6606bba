import { describe, expect, it } from 'vitest';
import { createOriginAnswerer, type OriginSegment } from '../../../detector/core/origins.ts';
import type { OriginAnswer, OriginAsk } from '../../../schemas/log/origin.ts';
import { clientOf } from '../responder/verdicts.ts';

const PRODUCER_TRACE = 'a'.repeat(32);
const PRODUCER = '1'.repeat(16);
const ask = (fields: Partial<OriginAsk> = {}): OriginAsk => ({
  traceId: 'b'.repeat(32),
  entrySpanId: '2'.repeat(16),
  depth: 1,
  producerTraceId: PRODUCER_TRACE,
  producerSpanId: PRODUCER,
  ...fields,
});
const segment = (fields: Partial<OriginSegment> = {}): OriginSegment => ({
  entrySpanId: '3'.repeat(16),
  producerSpans: [PRODUCER],
  clients: [clientOf('203.0.113.7')],
  state: 'none',
  ...fields,
});

function create(maxRemembered = 1_000) {
  const answers: OriginAnswer[] = [];
  const looked: OriginAsk[] = [];
  const answerer = createOriginAnswerer(
    { waitMs: 3_000, maxRemembered },
    { answer: (answer) => answers.push(answer), lookUp: (one) => looked.push(one) },
  );
  const said = () => answers.map(({ state, clients }) => [state, ...clients.map(({ address }) => address)].join(' '));
  return { answerer, answers, looked, said };
}

describe('a question about who caused asynchronous work', () => {
  it('is answered from what was closed', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, segment());
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(said()).toEqual(['known 203.0.113.7']);
    expect(answerer.floor(0)).toBe(Infinity);
  });

  it('is parked while the trace is open, and holds the commit until it is answered', () => {
    const { answerer, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, true);
    expect([answerer.parked, answerer.floor(0), answerer.floor(1)]).toEqual([1, 7, Infinity]);
    answerer.remember(0, PRODUCER_TRACE, segment());
    expect(said()).toEqual(['known 203.0.113.7']);
    expect([answerer.parked, answerer.floor(0)]).toEqual([0, Infinity]);
  });

  it('waits for the origin of the producer itself: any depth works', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'pending', clients: [] }));
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(said()).toEqual([]);
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'known', clients: [clientOf('203.0.113.8')] }));
    expect(said()).toEqual(['known 203.0.113.8']);
  });

  it('is looked up in the store when the trace is unknown here', () => {
    const { answerer, looked, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(looked).toHaveLength(1);
    answerer.found(looked[0]!, []); // not stored yet: the wait decides
    answerer.found(looked[0]!, [clientOf(null)]); // stored, its own origin still pending
    expect(said()).toEqual([]);
    answerer.found(looked[0]!, [clientOf('203.0.113.9')]);
    expect(said()).toEqual(['known 203.0.113.9']);
  });

  it('is looked up after the wait when an earlier owner had judged the open segment', () => {
    const { answerer, looked, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, true); // it closes silently: nobody remembers it
    answerer.advance(0, 3_999);
    expect(looked).toHaveLength(0);
    answerer.advance(0, 4_000);
    expect(looked).toHaveLength(1);
    answerer.found(looked[0]!, [clientOf('203.0.113.9')]);
    expect(said()).toEqual(['known 203.0.113.9']);
  });

  it('is given up after the wait, and says so', () => {
    const { answerer, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, false);
    answerer.advance(1, 100_000); // another partition's time
    expect(said()).toEqual([]);
    answerer.advance(0, 4_000);
    expect(said()).toEqual(['unknown']);
    expect(answerer.floor(0)).toBe(Infinity);
  });

  it('says that others may have caused it too when the segment it found does not know all its own origins', () => {
    const { answerer, answers } = create();
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'unknown' }));
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(answers[0]).toMatchObject({ state: 'unknown', clients: [{ address: '203.0.113.7' }] });
  });

  it('names at most 64 clients, and none that is unknown', () => {
    const { answerer, answers } = create();
    const clients = [clientOf(null), ...Array.from({ length: 100 }, (_, i) => clientOf(`203.0.113.${i}`))];
    answerer.remember(0, PRODUCER_TRACE, segment({ clients }));
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(answers[0]!.clients).toHaveLength(64);
    expect(answers[0]!.clients.every(({ address }) => address !== null)).toBe(true);
  });

  it('of a ring of links ends', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, segment());
    answerer.ask(ask({ depth: 17 }), 0, 7, 1_000, false);
    expect(said()).toEqual(['unknown']);
  });

  it('takes the segment that holds the producer span, of several in its trace', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, segment({ entrySpanId: '4'.repeat(16), producerSpans: ['9'.repeat(16)] }));
    answerer.remember(0, PRODUCER_TRACE, segment({ clients: [clientOf('203.0.113.8')] }));
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(said()).toEqual(['known 203.0.113.8']);
  });

  it('goes with its partition', () => {
    const { answerer, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, true);
    answerer.ask(ask({ producerTraceId: 'd'.repeat(32) }), 1, 9, 1_000, true);
    answerer.drop(0);
    expect([answerer.parked, answerer.floor(0), answerer.floor(1)]).toEqual([1, Infinity, 9]);
    answerer.remember(0, PRODUCER_TRACE, segment());
    expect(said()).toEqual([]);
  });
});

describe('a question answered without knowing', () => {
  it('is answered again when more becomes known, once', () => {
    const { answerer, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, true);
    answerer.advance(0, 4_000); // looked up
    answerer.advance(0, 7_000);
    expect(said()).toEqual(['unknown']);
    expect([answerer.parked, answerer.unsettled, answerer.floor(0)]).toEqual([0, 1, Infinity]);
    answerer.remember(0, PRODUCER_TRACE, segment());
    answerer.remember(0, PRODUCER_TRACE, segment());
    expect(said()).toEqual(['unknown', 'known 203.0.113.7']);
    expect(answerer.unsettled).toBe(0);
  });

  it('is answered again when the segment it was answered from learns its own origin', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'unknown', clients: [] }));
    answerer.ask(ask(), 0, 7, 1_000, false);
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'unknown', clients: [] }));
    answerer.remember(0, PRODUCER_TRACE, segment({ state: 'known', clients: [clientOf('203.0.113.8')] }));
    expect(said()).toEqual(['unknown', 'known 203.0.113.8']);
  });

  it('is answered by a store that took longer than the wait', () => {
    const { answerer, looked, said } = create();
    answerer.ask(ask(), 0, 7, 1_000, false);
    answerer.advance(0, 3_000);
    answerer.advance(0, 4_000);
    expect(said()).toEqual(['unknown']);
    expect(looked).toHaveLength(2);
    answerer.found(looked[0]!, [clientOf('203.0.113.9')]);
    answerer.found(looked[1]!, [clientOf('203.0.113.9')]);
    expect(said()).toEqual(['unknown', 'known 203.0.113.9']);
  });

  it('is forgotten when its asker can be told no more, and with its partition', () => {
    const { answerer, said } = create();
    for (const [name, partition] of [
      ['a', 0],
      ['d', 1],
    ] as const) {
      answerer.ask(ask({ producerTraceId: name.repeat(32) }), partition, 7, 1_000, true);
      for (const nowMs of [4_000, 7_000]) answerer.advance(partition, nowMs);
    }
    expect(answerer.unsettled).toBe(2);
    answerer.drop(1);
    expect(answerer.unsettled).toBe(1);
    answerer.advance(0, 200_000);
    expect(answerer.unsettled).toBe(0);
    answerer.remember(0, PRODUCER_TRACE, segment());
    expect(said()).toEqual(['unknown', 'unknown']);
  });

  it('is one of a bounded number', () => {
    const { answerer } = create();
    for (let n = 0; n < 25_000; n++)
      answerer.ask(ask({ producerTraceId: n.toString(16).padStart(32, '0') }), 0, n, 1_000, true);
    for (const nowMs of [4_000, 7_000]) answerer.advance(0, nowMs);
    expect([answerer.parked, answerer.unsettled]).toEqual([0, 20_000]);
  });
});

describe('of several segments in the producer’s trace', () => {
  const of = (entry: string, producer: string, address: string) =>
    segment({ entrySpanId: entry.repeat(16), producerSpans: [producer.repeat(16)], clients: [clientOf(address)] });

  it('one that does not hold the producer span never answers, though it is the only one known', () => {
    const { answerer, said, looked } = create();
    answerer.remember(0, PRODUCER_TRACE, of('4', '9', '203.0.113.8'));
    answerer.ask(ask(), 0, 7, 1_000, true);
    answerer.remember(0, PRODUCER_TRACE, of('5', '8', '203.0.113.9'));
    expect(said()).toEqual([]);
    for (const nowMs of [4_000, 7_000]) answerer.advance(0, nowMs);
    expect(looked).toHaveLength(1);
    expect(said()).toEqual(['unknown 203.0.113.8 203.0.113.9']); // may be either: nobody is named
  });

  it('one that turned out to be part of another is forgotten', () => {
    const { answerer, said } = create();
    answerer.remember(0, PRODUCER_TRACE, of('4', '1', '10.0.0.8'));
    answerer.remember(0, PRODUCER_TRACE, of('3', '1', '203.0.113.7'));
    answerer.ask(ask(), 0, 7, 1_000, false);
    expect(said()).toEqual(['known 203.0.113.7']);
  });

  it('a stored one of whose origins some are unknown says so', () => {
    const { answerer, answers, looked } = create();
    answerer.ask(ask(), 0, 7, 1_000, false);
    answerer.found(looked[0]!, [clientOf('203.0.113.8'), clientOf(null)]);
    expect(answers).toMatchObject([{ state: 'unknown', clients: [{ address: '203.0.113.8' }] }]);
  });
});

it('remembers a bounded number of traces, the youngest', () => {
  const { answerer, said, looked } = create(2);
  for (const name of ['a', 'b', 'c']) answerer.remember(0, name.repeat(32), segment());
  answerer.ask(ask({ producerTraceId: 'c'.repeat(32) }), 0, 7, 1_000, false);
  answerer.ask(ask({ producerTraceId: 'a'.repeat(32) }), 0, 8, 1_000, false);
  expect(said()).toEqual(['known 203.0.113.7']);
  expect(looked.map(({ producerTraceId }) => producerTraceId[0])).toEqual(['a']);
});
