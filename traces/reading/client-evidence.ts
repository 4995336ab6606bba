/** Gathers what an entry span says about its client, for attribution; made once a segment. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { AnyValueField, SpanKind } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, type KeyValueView, readAnyValue } from '../../schemas/otlp/read-attributes.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import type { Attribution, ResolvedClient } from '../attribution/client.ts';
import { CUT, LOST_END, MAX_ELEMENTS } from '../attribution/forwarded.ts';
import type { Symbols } from '../segment.ts';
import { Attribute } from './keys.ts';
import { type AttributeSlots, hasText } from './slots.ts';

export interface EvidenceCollector {
  begin(): void;
  /** Takes a captured header of the entry span by its name's symbol; `nameStart`: where its name begins in the key. */
  header(name: number, view: KeyValueView, nameStart: number): void;
  resolve(slots: AttributeSlots, service: number, kind: number): ResolvedClient;
  /** Headers that say who the client is, and say nothing about the request: not parameters. */
  readonly names: ReadonlySet<number>;
}

/** Bytes of a header that are looked at, from its right end: no row of proxies writes more. */
const MAX_HEADER_BYTES = 8192;

const NO_VALUES: readonly string[] = [];
const NO_SINGLES: readonly (readonly [string, string])[] = [];

/** The values of one header, as the best spelling of its attribute has them. */
interface Captured {
  values: readonly string[];
  spelling: number;
}

const UNDERSCORE = 0x5f;
const SMALL_R = 0x72;

/**
 * One header may be there under several names; they must not be read as one list. A header before gRPC metadata; `-`
 * before `_`: where an instrumentation keeps hyphens, an underscore is of a header that the client sent with one
 * (`X_Forwarded_For`, which proxies do not overwrite); where it writes underscores, there is nothing else.
 */
function spellingOf({ bytes, keyStart, keyEnd }: KeyValueView, nameStart: number): number {
  const spelling = bytes[keyStart] === SMALL_R ? 2 : 0;
  for (let i = nameStart; i < keyEnd; i++) if (bytes[i] === UNDERSCORE) return spelling + 1;
  return spelling;
}

export function createEvidence(symbols: Symbols, attribution: Attribution): EvidenceCollector {
  const { attributeLengthLimit } = attribution;
  const forwardedForName = symbols.intern('x-forwarded-for');
  const forwardedName = symbols.intern('forwarded');
  const singleNames = new Map([...attribution.singleValueHeaders].map((name) => [symbols.intern(name), name]));
  const alsoNot = [
    'x-real-ip',
    'cf-connecting-ip',
    'true-client-ip',
    'x-client-ip',
    'traceparent',
    'tracestate',
    'baggage',
    'x-request-id',
    'b3',
  ];
  const names = new Set([
    forwardedForName,
    forwardedName,
    ...singleNames.keys(),
    ...alsoNot.map((name) => symbols.intern(name)),
  ]);
  const cursor = createCursor(new Uint8Array(0));
  const element = createKeyValueView();
  const elementStarts = new Int32Array(MAX_ELEMENTS);
  const elementEnds = new Int32Array(MAX_ELEMENTS);
  const forwardedFor: Captured = { values: NO_VALUES, spelling: 0 };
  const forwarded: Captured = { values: NO_VALUES, spelling: 0 };
  const singles = new Map<string, Captured>();
  let bytesLeft = 0;

  function take(captured: Captured, view: KeyValueView, spelling: number): void {
    const seen = captured.values.length > 0;
    if (seen && spelling > captured.spelling) return;
    const values = valuesOf(view);
    captured.values = seen && spelling === captured.spelling ? [...captured.values, ...values] : values;
    captured.spelling = spelling;
  }

  /** One string, an array of strings, or such an array as JSON text (some exporters write attributes so). */
  function valuesOf(view: KeyValueView): string[] {
    bytesLeft = MAX_HEADER_BYTES;
    const { bytes, valueStart: start, valueEnd: end } = view;
    if (view.type === AnyValueField.string)
      return isJsonArray(bytes, start, end) ? jsonValues(view) : [text(bytes, start, end)];
    return view.type === AnyValueField.array ? arrayValues(view) : [];
  }

  /** The last ones: whoever fills an array from the left changes nothing. */
  function arrayValues({ bytes, valueStart, valueEnd }: KeyValueView): string[] {
    let count = 0;
    resetCursor(cursor, bytes, valueStart, valueEnd);
    for (let at = nextField(cursor, 1); at >= 0; at = nextField(cursor, 1)) {
      if (!readAnyValue(bytes, at, cursor.position, element) || element.type !== AnyValueField.string) continue;
      elementStarts[count % MAX_ELEMENTS] = element.valueStart;
      elementEnds[count++ % MAX_ELEMENTS] = element.valueEnd;
    }
    const values: string[] = [];
    for (let i = count - 1; i >= 0 && i >= count - MAX_ELEMENTS && bytesLeft > 0; i--)
      values.push(text(bytes, elementStarts[i % MAX_ELEMENTS]!, elementEnds[i % MAX_ELEMENTS]!));
    if (values.length < count) values.push(CUT);
    return values.reverse();
  }

  function jsonValues({ bytes, valueStart, valueEnd }: KeyValueView): string[] {
    const values = text(bytes, valueStart + 2, valueEnd - 2).split(/"\s*,\s*"/);
    const last = values.slice(-MAX_ELEMENTS).map((value) => value.replaceAll(/\\(["\\/])/g, '$1'));
    return last.length < values.length ? [CUT, ...last] : last;
  }

  /** The right end of a value, as far as headers are looked at; one that an SDK cut is marked. */
  function text(bytes: Uint8Array, start: number, end: number): string {
    const from = Math.max(start, end - bytesLeft);
    bytesLeft -= end - from + 1;
    const read = from > start ? CUT + textOf(bytes, from, end) : textOf(bytes, start, end);
    return attributeLengthLimit > 0 && end - start >= attributeLengthLimit ? read + LOST_END : read;
  }

  const textIn = (slots: AttributeSlots, slot: Attribute): string =>
    hasText(slots, slot) ? textOf(slots.bytes, slots.starts[slot]!, slots.ends[slot]!) : '';

  function peerOf(slots: AttributeSlots, kind: number): string {
    // In a client span the network peer is the callee, in a consumer's the broker.
    if (kind === SpanKind.client || kind === SpanKind.producer || kind === SpanKind.consumer) return '';
    return textIn(slots, Attribute.networkPeerAddress) || textIn(slots, Attribute.peerAddress);
  }

  return {
    names,
    begin() {
      forwardedFor.values = NO_VALUES;
      forwarded.values = NO_VALUES;
      singles.clear();
    },
    header(name, view, nameStart) {
      if (name === forwardedForName) take(forwardedFor, view, spellingOf(view, nameStart));
      else if (name === forwardedName) take(forwarded, view, spellingOf(view, nameStart));
      else {
        const single = singleNames.get(name);
        if (single === undefined) return;
        const captured = singles.get(single) ?? { values: NO_VALUES, spelling: 0 };
        take(captured, view, spellingOf(view, nameStart));
        singles.set(single, captured);
      }
    },
    resolve(slots, service, kind) {
      const client = textIn(slots, Attribute.clientAddress);
      return attribution.resolve({
        service: symbols.text(service),
        peer: peerOf(slots, kind),
        forwardedFor: forwardedFor.values,
        forwarded: forwarded.values,
        clientAddress: client === '' && kind === SpanKind.server ? textIn(slots, Attribute.netPeerName) : client,
        singleValues:
          singles.size === 0 ? NO_SINGLES : [...singles].map(([name, { values }]) => [name, values.join(',')] as const),
      });
    },
  };
}

/** `["…"]`: what a proxy appended stands right, and never ends so. */
const isJsonArray = (bytes: Uint8Array, start: number, end: number): boolean =>
  end - start >= 4 &&
  bytes[start] === 0x5b &&
  bytes[start + 1] === 0x22 &&
  bytes[end - 2] === 0x22 &&
  bytes[end - 1] === 0x5d;
