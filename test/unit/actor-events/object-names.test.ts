/** Which objects an event keeps of a request that names more than it can hold: names come from the sender. */
import { describe, expect, test } from 'vitest';
import { createActorEvents } from '../../../detector/core/actor-events.ts';
import { toVerdict } from '../../../detector/core/attributed.ts';
import { createKeyedHash } from '../../../detector/core/keyed-hash.ts';
import { createObjectNames } from '../../../detector/core/object-names.ts';
import { actorsSection } from '../../../schemas/config/actors.ts';
import { attributionSection } from '../../../schemas/config/attribution.ts';
import { readingSection } from '../../../schemas/config/reading.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { VerdictStage } from '../../../schemas/log/verdict.ts';
import { createReadingKit } from '../../../traces/kit.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { segmentSpansOf } from '../traces/otlp.ts';

const JUNK = 'a_id=1&b_id=2&c_id=3&d_id=4&e_id=5&f_id=6&g_id=7&h_id=8';

/** One detector over many requests; gives the names of the objects of each. */
function detector() {
  const kit = createReadingKit({ reading: readingSection.parse({}), attribution: attributionSection.parse({}) });
  const events = createActorEvents(actorsSection.parse({}), {
    symbols: kit.symbols,
    redactor: createRedactor(redactionSection.parse({})),
    hash: createKeyedHash('a key of the installation', 'objects'),
  });
  return (query: string, address = '203.0.113.9', route = '/order', path = route): string[] => {
    const attributes = {
      'network.peer.address': address,
      'http.request.method': 'GET',
      'http.route': route,
      'http.response.status_code': 200,
      'url.path': path,
      'url.query': query,
    };
    const span = {
      spanId: '00000000000000a1',
      service: 'gateway',
      kind: 'server',
      start: 0,
      end: 20,
      attributes,
    } as const;
    const segment = segmentSpansOf([span], { asynchronous: false });
    expect(kit.reader.read(segment, kit.segment)).toBe(true);
    const event = events.request(kit.segment, toVerdict(segment, kit.segment, null, '', VerdictStage.closed, 'none'));
    return event.objects.map(({ kind }) => kind.split(' · ')[1]!);
  };
}

describe('the objects that an event keeps', () => {
  test('are first those by the names that the operation always has, however many others stand in front of them', () => {
    const ask = detector();
    for (let n = 0; n < 40; n++) expect(ask(`order_id=${n}`, `198.51.100.${n % 9}`)).toEqual(['order_id']);
    expect(ask(`${JUNK}&order_id=17`)).toEqual(['order_id', 'a_id', 'b_id', 'c_id', 'd_id']);
    // also when one sender repeats the made-up names more often than everybody had the real one
    for (let n = 0; n < 200; n++) ask(JUNK);
    expect(ask(`${JUNK}&order_id=17`)[0]).toBe('order_id');
    // and when many names come that were never there
    for (let n = 0; n < 300; n++) {
      const made = Array.from({ length: 8 }, (_, at) => `w${n}x${at}_id=${at}`).join('&');
      expect(ask(`${made}&order_id=${n}`)[0]).toBe('order_id');
    }
  });

  test('are by names that nobody knows in no more than a share', () => {
    const ask = detector();
    expect(ask(JUNK)).toHaveLength(4);
  });

  test('are those of the path in any case', () => {
    const ask = detector();
    for (let n = 0; n < 40; n++) ask(`${JUNK}`, `198.51.100.${n % 9}`, '/orders/{id}', `/orders/${n}`);
    const kept = ask(`z_id=1&${JUNK}`, '203.0.113.9', '/orders/{id}', '/orders/17');
    expect(kept).toHaveLength(8);
    expect(kept[0]).toBe('2'); // the place in the path
    expect(kept).not.toContain('z_id');
  });

  test('are known by names that stay known whatever is made up', () => {
    const texts = ['', 'order_id', ...Array.from({ length: 4_000 }, (_, n) => `x${n}_id`)];
    const symbols = { text: (symbol: number) => texts[symbol] ?? '', labelOf: () => ({ service: 0, operation: 0 }) };
    const names = createObjectNames(symbols as never, 100);
    const ask = (client: string, ...symbolsOfNames: number[]) => {
      names.begin(client);
      for (const [place, symbol] of symbolsOfNames.entries()) names.offer(1, symbol, place, false);
      names.choose();
      return Array.from({ length: names.count }, (_, n) => names.nameAt(n).text.split(' · ')[1]);
    };
    for (let n = 0; n < 4_000; n++) {
      ask(`client ${n % 50}`, 1);
      ask('somebody', 2 + n);
    }
    expect(ask('somebody', 2, 3, 4, 5, 6, 7, 8, 9, 10, 1)[0]).toBe('order_id');
  });
});
