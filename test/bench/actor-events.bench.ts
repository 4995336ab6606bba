/** What events for actors cost a request, and what the one owner of their partition pays to read them (docs/adr/035). */
import { createActorEvents } from '../../detector/core/actor-events.ts';
import { toVerdict } from '../../detector/core/attributed.ts';
import { createKeyedHash } from '../../detector/core/keyed-hash.ts';
import { actorsSection } from '../../schemas/config/actors.ts';
import { attributionSection } from '../../schemas/config/attribution.ts';
import { readingSection } from '../../schemas/config/reading.ts';
import { redactionSection } from '../../schemas/config/redaction.ts';
import type { ActorEvent } from '../../schemas/log/actor-event.ts';
import { decodeActorEvents, encodeActorEvents } from '../../schemas/log/actor-events-codec.ts';
import { type Verdict, VerdictStage } from '../../schemas/log/verdict.ts';
import { createReadingKit } from '../../traces/kit.ts';
import { createSegment } from '../../traces/reading/columns.ts';
import { createRedactor } from '../../traces/redaction/redactor.ts';
import type { Segment } from '../../traces/segment.ts';
import { segmentSpansOf, type WireSpan } from '../unit/traces/otlp.ts';
import { type Bench, type BenchResult, rates } from './bench.ts';

const REQUESTS = 500;

/** A request of eight spans by one of many clients: three services and two statements. */
function spansOf(i: number, login: boolean): WireSpan[] {
  const traceId = (i + 1).toString(16).padStart(32, '0');
  const id = (n: number): string => (i * 16 + n + 1).toString(16).padStart(16, '0');
  const inside = Array.from({ length: 7 }, (_, n): WireSpan => {
    const calls = n % 2 === 0;
    return {
      traceId,
      spanId: id(n + 1),
      parent: id(n),
      service: ['gateway', 'orders', 'orders', 'stock', 'stock', 'stock', 'stock'][n]!,
      kind: calls ? 'client' : 'server',
      start: n,
      end: 20 - n,
      attributes: {
        'http.request.method': 'GET',
        'http.route': '/stock/{id}',
        'url.path': `/stock/${i}`,
        'http.response.status_code': 200,
      },
    };
  });
  const attributes = {
    'http.request.method': login ? 'POST' : 'GET',
    'http.route': login ? '/login' : '/orders/{id}',
    'url.path': login ? '/login' : `/orders/${10_000 + i}`,
    'url.query': 'page=2&expand=items',
    'http.response.status_code': login && i % 3 === 0 ? 401 : 200,
    'http.response.body.size': 2_048 + i,
    'network.peer.address': `203.0.${i >> 8}.${i & 255}`,
    'user_agent.original': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36',
    'user.id': `user-${i % 200}`,
    ...(login && { 'http.request.body.username': `user-${i % 200}@example.com` }),
  };
  return [{ traceId, spanId: id(0), service: 'gateway', kind: 'server', start: 0, end: 30, attributes }, ...inside];
}

const bench: Bench = {
  name: 'actor-events',
  question: 'how many requests a CPU-second can be turned into events for actors, written to records and read again?',
  async run() {
    const results: BenchResult[] = [];
    for (const login of [false, true]) {
      const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
      const actorEvents = createActorEvents(actorsSection.parse({}), {
        symbols: kit.symbols,
        redactor: createRedactor(redactionSection.parse({})),
        hash: createKeyedHash('a bench', 'objects'),
      });
      const requests: [Segment, Verdict][] = [];
      for (let i = 0; i < REQUESTS; i++) {
        const spans = segmentSpansOf(spansOf(i, login), {});
        const segment = createSegment(kit.symbols);
        if (!kit.reader.read(spans, segment)) throw new Error('a span of the bench cannot be read');
        requests.push([segment, toVerdict(spans, segment, null, '', VerdictStage.closed, 'none')]);
      }
      const made = (): ActorEvent[] => requests.map(([segment, verdict]) => actorEvents.request(segment, verdict));
      const events = made();
      const record = encodeActorEvents({ partition: 0, position: 1, step: 1 }, events);
      const json = JSON.stringify(events);
      const many = (work: () => void) => (): number => {
        for (let i = 0; i < 40; i++) work();
        return 40 * REQUESTS;
      };
      const [asEvents, written, read, asJson, fromJson] = await rates([
        many(() => made()),
        many(() => encodeActorEvents({ partition: 0, position: 1, step: 1 }, events)),
        many(() => {
          if (decodeActorEvents(record)?.length !== REQUESTS) throw new Error('the record cannot be read');
        }),
        many(() => Buffer.from(JSON.stringify(events))),
        many(() => JSON.parse(json)),
      ]);
      const shape = login ? 'sign-ins' : 'requests';
      const unit = 'events/CPU-s';
      results.push({ name: 'made of a segment of 8 spans', shape, unit, ...asEvents!, target: 1_000_000 });
      const bytes = `${Math.round(record.length / REQUESTS)} bytes an event, ${Math.round(json.length / REQUESTS)} as JSON`;
      const ratio = (a: number, b: number) => ({ ratio: a / b, reference: 'JSON without any check' });
      results.push({ name: 'written', shape, unit, ...written!, ...ratio(written!.value, asJson!.value), note: bytes });
      results.push({
        name: 'read and checked',
        shape,
        unit,
        ...read!,
        ...ratio(read!.value, fromJson!.value),
        target: 333_000,
      });
    }
    return results;
  },
};

export const benches: readonly Bench[] = [bench];
