/** Cutting, reading and converting OTLP bytes. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { createTraceCutter } from '../../schemas/otlp/cut.ts';
import { SpanField } from '../../schemas/otlp/fields.ts';
import { jsonToTracesData } from '../../schemas/otlp/json.ts';
import { createKeyValueView, readKeyValue } from '../../schemas/otlp/read-attributes.ts';
import { createSpanHead, readSpanHead } from '../../schemas/otlp/read-span.ts';
import { decodeTracesData, encodeTracesData, type ProtoResourceSpans } from '../unit/otlp/proto.ts';
import { type Bench, type BenchResult, rates, type Spread } from './bench.ts';
import { type LoadRequest, sdkRequest, wholeTraceRequest } from './load.ts';

const ATTRIBUTES = 12;

export const shapes = (): readonly { readonly shape: string; readonly loads: readonly LoadRequest[] }[] => [
  { shape: 'whole traces', loads: [1, 2, 3, 4].map((seed) => wholeTraceRequest(seed)) },
  { shape: 'SDK', loads: [1, 2, 3, 4, 5, 6, 7, 8].map((seed) => sdkRequest(seed)) },
];

export const spanBytesOf = (loads: readonly LoadRequest[]): number =>
  loads.reduce((sum, load) => sum + load.bytes.length, 0) / loads.reduce((sum, load) => sum + load.spans, 0);

const resultOf = (
  name: string,
  shape: string,
  measured: Spread,
  loads: readonly LoadRequest[],
  more: Partial<BenchResult>,
): BenchResult => ({
  name,
  shape,
  unit: 'spans/CPU-s',
  ...measured,
  spanBytes: spanBytesOf(loads),
  attributes: ATTRIBUTES,
  ...more,
});

/** Goes through the loads `times` times; says how many spans went by. */
const through = (loads: readonly LoadRequest[], times: number, take: (load: LoadRequest) => void) => () => {
  let spans = 0;
  for (let i = 0; i < times; i++)
    for (const load of loads) {
      take(load);
      spans += load.spans;
    }
  return spans;
};

/** What cutting replaces: decode everything, group by trace, encode again. */
function regroup(load: LoadRequest): number {
  const traces = new Map<string, ProtoResourceSpans[]>();
  for (const resource of decodeTracesData(load.bytes).resourceSpans ?? [])
    for (const scope of resource.scopeSpans ?? []) {
      const here = new Map<string, ProtoResourceSpans>();
      for (const span of scope.spans ?? []) {
        const id = Buffer.from(span.traceId!).toString('hex');
        let own = here.get(id);
        if (own === undefined) {
          own = { ...resource, scopeSpans: [{ ...scope, spans: [] }] };
          here.set(id, own);
          const all = traces.get(id);
          if (all === undefined) traces.set(id, [own]);
          else all.push(own);
        }
        own.scopeSpans![0]!.spans!.push(span);
      }
    }
  let bytes = 0;
  for (const resourceSpans of traces.values()) bytes += encodeTracesData({ resourceSpans }).length;
  return bytes;
}

const cut: Bench = {
  name: 'otlp-cut',
  question: 'how fast is a request cut by trace id?',
  async run() {
    const results: BenchResult[] = [];
    const cutter = createTraceCutter({ maxRecordBytes: 1_000_000, maxOutputBytes: 80_000_000 }, 42);
    let bytes = 0;
    const sink = (_traceId: string, value: Uint8Array): void => {
      bytes += value.length;
    };
    for (const { shape, loads } of shapes()) {
      const [own, other] = await rates([
        through(loads, 40, (load) => cutter.cut(load.bytes, sink)),
        through(loads.slice(0, 1), 1, regroup),
      ]);
      results.push(
        resultOf('cut by trace id', shape, own!, loads, {
          target: shape === 'SDK' ? 1_000_000 : 2_000_000,
          ratio: own!.value / other!.value,
          reference: 'protobufjs decode, group, encode',
        }),
      );
    }
    return bytes > 0 ? results : [];
  },
};

const read: Bench = {
  name: 'otlp-read',
  question: 'how fast are spans and all their attributes read without decoding values?',
  async run() {
    const results: BenchResult[] = [];
    const head = createSpanHead();
    const view = createKeyValueView();
    const outer = createCursor(new Uint8Array(0));
    const middle = createCursor(new Uint8Array(0));
    const inner = createCursor(new Uint8Array(0));
    const attributes = createCursor(new Uint8Array(0));
    let seen = 0;
    const readAll = ({ bytes }: LoadRequest): void => {
      resetCursor(outer, bytes, 0, bytes.length);
      for (let r = nextField(outer, 1); r >= 0; r = nextField(outer, 1)) {
        resetCursor(middle, bytes, r, outer.position);
        for (let s = nextField(middle, 2); s >= 0; s = nextField(middle, 2)) {
          resetCursor(inner, bytes, s, middle.position);
          for (let p = nextField(inner, 2); p >= 0; p = nextField(inner, 2)) {
            readSpanHead(bytes, p, inner.position, head);
            resetCursor(attributes, bytes, head.firstAttribute, head.end);
            for (
              let a = nextField(attributes, SpanField.attributes);
              a >= 0;
              a = nextField(attributes, SpanField.attributes)
            ) {
              readKeyValue(bytes, a, attributes.position, view);
              seen += view.type;
            }
          }
        }
      }
    };
    for (const { shape, loads } of shapes()) {
      const [own, other] = await rates([
        through(loads, 20, readAll),
        through(loads.slice(0, 1), 1, (load) => decodeTracesData(load.bytes)),
      ]);
      results.push(
        resultOf('read heads and attributes', shape, own!, loads, {
          ratio: own!.value / other!.value,
          reference: 'protobufjs decode',
        }),
      );
    }
    return seen > 0 ? results : [];
  },
};

/** The load as an OTLP/JSON client would send it. */
const jsonOf = (load: LoadRequest): string =>
  JSON.stringify(decodeTracesData(load.bytes), (_, value) => {
    const bytes = value?.type === 'Buffer' ? Buffer.from(value.data) : value;
    return bytes instanceof Uint8Array ? Buffer.from(bytes).toString('hex') : bytes;
  });

const json: Bench = {
  name: 'otlp-json',
  question: 'how fast does OTLP/JSON become protobuf?',
  async run() {
    const results: BenchResult[] = [];
    for (const { shape, loads } of shapes()) {
      const texts = new Map(loads.map((load) => [load, jsonOf(load)]));
      let bytes = 0;
      const [own, other] = await rates([
        through(loads, 2, (load) => {
          bytes += jsonToTracesData(texts.get(load)!).bytes.length;
        }),
        through(loads, 2, (load) => {
          bytes += JSON.parse(texts.get(load)!).resourceSpans.length;
        }),
      ]);
      results.push(
        resultOf('OTLP/JSON to protobuf', shape, own!, loads, {
          ratio: own!.value / other!.value,
          reference: 'JSON.parse alone',
        }),
      );
      if (bytes === 0) return [];
    }
    return results;
  },
};

export const benches: readonly Bench[] = [cut, read, json];
