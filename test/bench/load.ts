/**
 * The load of the benches: OTLP requests with about 500 bytes and 12 attributes a span, in the two shapes that matter.
 * Whole traces: 14 spans a trace on average, ten services, grouped by service as a Collector sends them. SDK shape:
 * 512 spans of one service a request, about 1.5 spans of a trace. Deterministic by seed; ids differ for every seed.
 */
import { createRandom, type Random } from './random.ts';

export const SERVICES = [
  'edge-gateway',
  'storefront-web',
  'catalog',
  'cart',
  'checkout',
  'payment',
  'shipping',
  'recommendation',
  'user-profile',
  'notification-worker',
] as const;
const ROUTES = ['/api/v1/items/{id}', '/api/v1/search', '/api/v1/cart/{id}', '/api/v1/orders', '/api/v1/users/{id}'];
const TABLES = ['items', 'carts', 'orders', 'users', 'prices'];
/** First of the span start times: 2026-08-01T00:00:00Z. */
const BASE_NS = 1_785_542_400_000_000_000n;
const SIGNATURES = 24;
const KIND = { server: 2, client: 3 } as const;

/** A growing protobuf writer; nested messages are written into a writer of their own and copied. */
class Writer {
  bytes = Buffer.allocUnsafe(65_536);
  size = 0;
  #room(count: number): void {
    if (this.size + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.size + count));
    this.bytes.copy(larger, 0, 0, this.size);
    this.bytes = larger;
  }
  varint(value: number): void {
    this.#room(10);
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.size++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.size++] = rest;
  }
  raw(value: Uint8Array, length = value.length): void {
    this.#room(length);
    this.bytes.set(value.subarray(0, length), this.size);
    this.size += length;
  }
  field(number: number, value: Uint8Array, length = value.length): void {
    this.varint(number * 8 + 2);
    this.varint(length);
    this.raw(value, length);
  }
  text(number: number, value: string): void {
    this.field(number, Buffer.from(value));
  }
  message(number: number, inner: Writer): void {
    this.field(number, inner.bytes, inner.size);
  }
  integer(number: number, value: number): void {
    this.varint(number * 8);
    this.varint(value);
  }
  fixed64(number: number, value: bigint): void {
    this.varint(number * 8 + 1);
    this.#room(8);
    this.size = this.bytes.writeBigUInt64LE(value, this.size);
  }
  fixed32(number: number, value: number): void {
    this.varint(number * 8 + 5);
    this.#room(4);
    this.size = this.bytes.writeUInt32LE(value, this.size);
  }
  clear(): this {
    this.size = 0;
    return this;
  }
  /** A copy of what was written. */
  finish(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.bytes.subarray(0, this.size));
  }
}

type Attributes = readonly (readonly [string, string | number])[];

const pair = new Writer();
const any = new Writer();
function attribute(into: Writer, number: number, key: string, value: string | number): void {
  any.clear();
  if (typeof value === 'string') any.text(1, value);
  else any.integer(3, value);
  pair.clear().text(1, key);
  pair.message(2, any);
  into.message(number, pair);
}

interface SpanPlan {
  readonly service: number;
  readonly traceId: Uint8Array;
  readonly bytes: Uint8Array;
}

const out = new Writer();
const status = new Writer();
function span(
  traceId: Uint8Array,
  spanId: Uint8Array,
  parent: Uint8Array | undefined,
  remote: boolean,
  kind: number,
  name: string,
  startNs: bigint,
  durationNs: number,
  attributes: Attributes,
): Uint8Array {
  out.clear().field(1, traceId);
  out.field(2, spanId);
  if (parent !== undefined) out.field(4, parent);
  out.text(5, name);
  out.integer(6, kind);
  out.fixed64(7, startNs);
  out.fixed64(8, startNs + BigInt(durationNs));
  for (const [key, value] of attributes) attribute(out, 9, key, value);
  status.clear();
  out.message(15, status);
  out.fixed32(16, remote ? 0x301 : 0x101);
  return out.finish();
}

const idOf = (random: Random, length: number): Uint8Array => {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  bytes[0] = bytes[0]! | 1; // never zero
  return bytes;
};

/** One trace of one of 24 signatures: a chain and fan-out of CLIENT → SERVER hops over the services, leaves are SQL. */
function trace(random: Random, spans: SpanPlan[]): void {
  const signature = random.below(SIGNATURES);
  const shape = createRandom(signature + 1); // what happens depends on the signature, values on the request
  const traceId = idOf(random, 16);
  const start = BASE_NS + BigInt(random.below(1_000_000_000)) * 1000n;
  const client = `${11 + random.below(80)}.${random.below(256)}.${random.below(256)}.${1 + random.below(250)}`;
  const target = 8 + (signature % 13); // 8 … 20 spans
  const at = (ms: number): bigint => start + BigInt(Math.round(ms * 1e6));
  const duration = (ms: number): number => Math.round(ms * 1e6 * (0.8 + random.next() * 0.4));

  const server = (service: number, parent: Uint8Array | undefined, route: string, ms: number, longMs: number) => {
    const id = idOf(random, 8);
    spans.push({
      service,
      traceId,
      bytes: span(traceId, id, parent, parent !== undefined, KIND.server, `GET ${route}`, at(ms), duration(longMs), [
        ['http.request.method', 'GET'],
        ['http.route', route],
        ['url.path', route.replace('{id}', String(random.below(1_000_000)))],
        ['url.scheme', 'http'],
        ['http.response.status_code', 200],
        ['server.address', SERVICES[service]!],
        ['server.port', 8080],
        ['client.address', client],
        ['network.peer.address', `10.0.${service}.${1 + random.below(9)}`],
        ['network.peer.port', 30_000 + random.below(30_000)],
        ['user_agent.original', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'],
        ['network.protocol.version', '1.1'],
      ]),
    });
    return id;
  };

  const queue: { service: number; id: Uint8Array; ms: number }[] = [];
  const entryRoute = ROUTES[signature % ROUTES.length]!;
  queue.push({ service: 0, id: server(0, undefined, entryRoute, 0, 120), ms: 1 });
  let count = 1;
  while (count < target) {
    const from = queue[Math.max(0, queue.length - 1 - shape.below(2))]!; // mostly a chain
    const ms = from.ms + shape.below(20) / 4;
    if (count + 2 > target || shape.below(3) === 0) {
      const table = TABLES[shape.below(TABLES.length)]!;
      spans.push({
        service: from.service,
        traceId,
        bytes: span(
          traceId,
          idOf(random, 8),
          from.id,
          false,
          KIND.client,
          `SELECT shop.${table}`,
          at(ms),
          duration(2),
          [
            ['db.system.name', 'postgresql'],
            ['db.namespace', 'shop'],
            ['db.operation.name', 'SELECT'],
            ['db.collection.name', table],
            ['db.query.text', `SELECT id, name, price, stock FROM ${table} WHERE id = $1 AND tenant = $2 LIMIT 50`],
            ['db.query.summary', `SELECT ${table}`],
            ['server.address', 'postgres-primary.shop.svc'],
            ['server.port', 5432],
            ['network.peer.address', '10.0.40.7'],
            ['network.peer.port', 5432],
            ['db.response.returned_rows', random.below(50)],
            ['db.client.connection.pool.name', `${SERVICES[from.service]}-main`],
          ],
        ),
      });
      count++;
      continue;
    }
    const service = 1 + shape.below(SERVICES.length - 1);
    const route = ROUTES[shape.below(ROUTES.length)]!;
    const id = idOf(random, 8);
    spans.push({
      service: from.service,
      traceId,
      bytes: span(traceId, id, from.id, false, KIND.client, 'GET', at(ms), duration(9), [
        ['http.request.method', 'GET'],
        [
          'url.full',
          `http://${SERVICES[service]}:8080${route.replace('{id}', String(random.below(1_000_000)))}?page=${random.below(50)}`,
        ],
        ['url.template', route],
        ['http.response.status_code', 200],
        ['server.address', SERVICES[service]!],
        ['server.port', 8080],
        ['network.peer.address', `10.0.${service}.7`],
        ['network.peer.port', 8080],
        ['network.protocol.name', 'http'],
        ['network.protocol.version', '1.1'],
        ['service.peer.name', SERVICES[service]!],
        ['http.request.resend_count', 0],
      ]),
    });
    queue.push({ service, id: server(service, id, route, ms + 0.5, 8), ms: ms + 1 });
    count += 2;
  }
}

/** A request (TracesData bytes) of spans, grouped by service. */
function request(spans: readonly SpanPlan[]): Uint8Array<ArrayBuffer> {
  const body = new Writer();
  for (let service = 0; service < SERVICES.length; service++) {
    const own = spans.filter((plan) => plan.service === service);
    if (own.length === 0) continue;
    const resource = new Writer();
    for (const [key, value] of [
      ['service.name', SERVICES[service]!],
      ['service.namespace', 'shop'],
      ['service.version', '2.14.3'],
      ['service.instance.id', `${SERVICES[service]}-7d9c5b6f4-x${service}k2p`],
      ['deployment.environment.name', 'production'],
      ['k8s.pod.name', `${SERVICES[service]}-7d9c5b6f4-x${service}k2p`],
      ['telemetry.sdk.language', 'nodejs'],
      ['telemetry.sdk.version', '2.1.0'],
    ] as const)
      attribute(resource, 1, key, value);
    const scope = new Writer();
    scope.text(1, '@opentelemetry/instrumentation-http');
    scope.text(2, '0.207.0');
    const scopeSpans = new Writer();
    scopeSpans.message(1, scope);
    for (const plan of own) scopeSpans.field(2, plan.bytes);
    const resourceSpans = new Writer();
    resourceSpans.message(1, resource);
    resourceSpans.message(2, scopeSpans);
    resourceSpans.text(3, 'https://opentelemetry.io/schemas/1.37.0');
    body.message(1, resourceSpans);
  }
  return body.finish();
}

function shuffleBlocks(plans: SpanPlan[], block: number, random: Random): void {
  for (let from = 0; from < plans.length; from += block)
    for (let i = Math.min(from + block, plans.length) - 1; i > from; i--) {
      const j = from + random.below(i - from + 1);
      [plans[i], plans[j]] = [plans[j]!, plans[i]!];
    }
}

export interface LoadRequest {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly spans: number;
  readonly traces: number;
}

/** One request of whole traces: at least `spans` of them, then the trace is finished (1,000 ≈ 500 KB). */
export function wholeTraceRequest(seed: number, spans = 1_000): LoadRequest {
  const random = createRandom(seed);
  const plans: SpanPlan[] = [];
  let traces = 0;
  for (; plans.length < spans; traces++) trace(random, plans);
  return { bytes: request(plans), spans: plans.length, traces };
}

/**
 * The requests in which SDKs send at least `spans` spans of whole traces: each holds 512 spans (or what is left) of one
 * service. All of them together hold whole traces.
 */
export function sdkRequests(seed: number, spans = 10_000): LoadRequest[] {
  const random = createRandom(seed);
  const plans: SpanPlan[] = [];
  while (plans.length < spans) trace(random, plans);
  const requests: LoadRequest[] = [];
  for (let service = 0; service < SERVICES.length; service++) {
    const own = plans.filter((plan) => plan.service === service);
    shuffleBlocks(own, 1024, random); // exports are cut by time, not by trace: a trace's spans often miss each other
    for (let from = 0; from < own.length; from += 512) {
      const batch = own.slice(from, from + 512);
      const traces = new Set(batch.map((plan) => plan.traceId)).size;
      requests.push({ bytes: request(batch), spans: batch.length, traces });
    }
  }
  return requests;
}

/** One full SDK request of 512 spans of one service, about 1.5 spans of a trace. */
export const sdkRequest = (seed: number): LoadRequest => sdkRequests(seed, 12_000).find((load) => load.spans === 512)!;
