/** OTLP/JSON lines of a small shop, as the Collector's file exporter writes them. */
import { createRandom } from '../../unit/fusion/random.ts';
import { logNormal } from '../../unit/timing/traffic.ts';

export interface LineOptions {
  readonly seed: number;
  readonly traces: number;
  readonly startMs: number;
  /** Milliseconds between requests. */
  readonly everyMs?: number;
  /** Index → what is odd about it. */
  readonly odd?: Readonly<Record<number, 'slow' | 'foreign' | 'injection'>>;
}

const hex = (value: number, length: number): string => value.toString(16).padStart(length, '0');
const nano = (ms: number): string => `${Math.round(ms * 1e3)}000`;
const text = (key: string, value: string): object => ({ key, value: { stringValue: value } });

export const traceIdOf = (seed: number, index: number): string => hex(seed, 16) + hex(index + 1, 16);

/** One line holds ten traces, spans grouped by service. */
export function otlpLines({ seed, traces, startMs, everyMs = 100, odd = {} }: LineOptions): string[] {
  const random = createRandom(seed);
  const lines: string[] = [];
  for (let from = 0; from < traces; from += 10) {
    const byService: Record<string, object[]> = { gateway: [], shop: [], reports: [] };
    for (let i = from; i < Math.min(traces, from + 10); i++) addTrace(i, byService);
    lines.push(
      JSON.stringify({
        resourceSpans: Object.entries(byService)
          .filter(([, spans]) => spans.length > 0)
          .map(([service, spans]) => ({
            resource: { attributes: [text('service.name', service)] },
            scopeSpans: [{ scope: { name: 'test' }, spans }],
          })),
      }),
    );
  }
  return lines;

  function addTrace(i: number, byService: Record<string, object[]>): void {
    const traceId = traceIdOf(seed, i);
    const startsMs = startMs + i * everyMs;
    const query = odd[i] === 'slow' ? 5_000 : logNormal(random, 5, 0.4);
    const shop = logNormal(random, 8, 0.3);
    const way = logNormal(random, 1, 0.3);
    const client = `203.0.113.${1 + Math.floor(random() * 200)}`;
    const item = odd[i] === 'injection' ? "1' OR 1=1--" : String(1 + Math.floor(random() * 900));
    let id = 0;
    const span = (
      service: string,
      parent: string,
      kind: number,
      name: string,
      offsetMs: number,
      durationMs: number,
      attributes: object[],
    ): string => {
      const spanId = hex(i + 1, 12) + hex(++id, 4);
      byService[service]!.push({
        traceId,
        spanId,
        ...(parent === '' ? {} : { parentSpanId: parent }),
        name,
        kind,
        startTimeUnixNano: nano(startsMs + offsetMs),
        endTimeUnixNano: nano(startsMs + offsetMs + durationMs),
        attributes,
        status: {},
      });
      return spanId;
    };
    const http = [text('http.request.method', 'GET'), { key: 'http.response.status_code', value: { intValue: '200' } }];
    const root = span('gateway', '', 2, 'GET /item', 0, 2 + way + shop + query, [
      ...http,
      text('http.route', '/item'),
      text('url.path', '/item'),
      text('url.query', `id=${encodeURIComponent(item)}`),
      text('network.peer.address', client),
    ]);
    const call = span('gateway', root, 3, 'GET', 1, way + shop + query, http);
    const inner = span('shop', call, 2, 'GET /stock', 1 + way / 2, shop + query, [
      ...http,
      text('http.route', '/stock'),
    ]);
    span('shop', inner, 3, 'SELECT stock', 1 + way / 2 + shop / 2, query, [
      text('db.system.name', 'postgresql'),
      text('db.query.text', 'SELECT n FROM stock WHERE id = $1'),
    ]);
    if (odd[i] === 'foreign')
      span('reports', inner, 2, 'GET /export', 2 + way, 3, [...http, text('http.route', '/export')]);
  }
}
