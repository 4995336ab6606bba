/** Gathers what an entry span says about its client, for attribution; made once a segment. */
import { createCursor, nextField, resetCursor } from '../../schemas/otlp/cursor.ts';
import { AnyValueField } from '../../schemas/otlp/fields.ts';
import { createKeyValueView, type KeyValueView, readAnyValue } from '../../schemas/otlp/read-attributes.ts';
import { textOf } from '../../schemas/otlp/text.ts';
import type { Attribution, ResolvedClient } from '../attribution/client.ts';
import type { Symbols } from '../segment.ts';
import { Attribute } from './keys.ts';
import { type AttributeSlots, hasText } from './slots.ts';

export interface EvidenceCollector {
  begin(): void;
  /** Takes a captured header of the entry span by its name's symbol. */
  header(name: number, view: KeyValueView): void;
  resolve(slots: AttributeSlots, service: number, kind: number): ResolvedClient;
  /** Headers that say who the client is, and say nothing about the request: not parameters. */
  readonly names: ReadonlySet<number>;
}

const NO_VALUES: readonly string[] = [];
const NO_SINGLES: readonly (readonly [string, string])[] = [];

export function createEvidence(symbols: Symbols, attribution: Attribution): EvidenceCollector {
  const forwardedFor = symbols.intern('x-forwarded-for');
  const forwarded = symbols.intern('forwarded');
  const singles = new Map([...attribution.singleValueHeaders].map((name) => [symbols.intern(name), name]));
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
  const names = new Set([forwardedFor, forwarded, ...singles.keys(), ...alsoNot.map((name) => symbols.intern(name))]);
  const cursor = createCursor(new Uint8Array(0));
  const element = createKeyValueView();
  let forValues = NO_VALUES;
  let forwardedValues = NO_VALUES;
  let singleValues = NO_SINGLES;

  function textsOf(view: KeyValueView): string[] {
    if (view.type === AnyValueField.string) return [textOf(view.bytes, view.valueStart, view.valueEnd)];
    const texts: string[] = [];
    if (view.type !== AnyValueField.array) return texts;
    resetCursor(cursor, view.bytes, view.valueStart, view.valueEnd);
    for (let at = nextField(cursor, 1); at >= 0; at = nextField(cursor, 1)) {
      if (readAnyValue(view.bytes, at, cursor.position, element) && element.type === AnyValueField.string) {
        texts.push(textOf(view.bytes, element.valueStart, element.valueEnd));
      }
    }
    return texts;
  }

  const textIn = (slots: AttributeSlots, slot: Attribute): string =>
    hasText(slots, slot) ? textOf(slots.bytes, slots.starts[slot]!, slots.ends[slot]!) : '';

  return {
    names,
    begin() {
      forValues = NO_VALUES;
      forwardedValues = NO_VALUES;
      singleValues = NO_SINGLES;
    },
    header(name, view) {
      if (name === forwardedFor) forValues = [...forValues, ...textsOf(view)];
      else if (name === forwarded) forwardedValues = [...forwardedValues, ...textsOf(view)];
      else {
        const single = singles.get(name);
        if (single !== undefined) singleValues = [...singleValues, [single, textsOf(view).join(',')]];
      }
    },
    resolve(slots, service, kind) {
      const client = textIn(slots, Attribute.clientAddress);
      return attribution.resolve({
        service: symbols.text(service),
        // In a client span the network peer is the callee.
        peer: kind === 3 || kind === 4 ? '' : textIn(slots, Attribute.networkPeerAddress),
        forwardedFor: forValues,
        forwarded: forwardedValues,
        clientAddress: client === '' && kind === 2 ? textIn(slots, Attribute.netPeerName) : client,
        singleValues,
      });
    },
  };
}
