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

it('remembers a bounded number of traces, the youngest', () => {
  const { answerer, said, looked } = create(2);
  for (const name of ['a', 'b', 'c']) answerer.remember(0, name.repeat(32), segment());
  answerer.ask(ask({ producerTraceId: 'c'.repeat(32) }), 0, 7, 1_000, false);
  answerer.ask(ask({ producerTraceId: 'a'.repeat(32) }), 0, 8, 1_000, false);
  expect(said()).toEqual(['known 203.0.113.7']);
  expect(looked.map(({ producerTraceId }) => producerTraceId[0])).toEqual(['a']);
});
