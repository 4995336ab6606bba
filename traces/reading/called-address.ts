/** What an outgoing call says of where it goes: a service it names, or an address with its class and port (egress.ts). */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import type { Segment } from '../segment.ts';
import { createEgress } from './egress.ts';
import { Attribute } from './keys.ts';
import { copyValue, type RawParameters, type RawSpans } from './raw.ts';
import { type AttributeSlots, hasText } from './slots.ts';
import type { UrlRanges } from './url.ts';

const SERVICE = new TextEncoder().encode('service:');

export interface CalledAddress {
  /** Of the span in row `i`. */
  read(i: number, kind: number, into: Segment): void;
}

export function createCalledAddress(
  slots: AttributeSlots,
  url: UrlRanges,
  raw: RawSpans,
  rawParameters: RawParameters,
): CalledAddress {
  const egress = createEgress();
  const encoder = new TextEncoder();

  /** Leaves the class of the called address in the values, to be used if the callee's span does not turn up. */
  function read(i: number, kind: number, into: Segment): void {
    raw.egressStart[i] = 0;
    raw.egressEnd[i] = 0;
    if (kind !== SpanKind.client && kind !== SpanKind.producer) return;
    if (hasText(slots, Attribute.servicePeer)) {
      const start = slots.starts[Attribute.servicePeer]!;
      raw.egressStart[i] = copyValue(into, rawParameters, SERVICE, 0, SERVICE.length);
      copyValue(into, rawParameters, slots.bytes, start, Math.min(slots.ends[Attribute.servicePeer]!, start + 128));
    } else if (egress.find(slots, url)) {
      const host = egress.hostBytes();
      raw.egressStart[i] = copyValue(into, rawParameters, host, 0, host.length);
      if (egress.port > 0) {
        const port = encodePort(egress.port);
        copyValue(into, rawParameters, port, 0, port.length);
      }
    } else return;
    raw.egressEnd[i] = rawParameters.valueEnd;
  }

  const ports = new Map<number, Uint8Array>();
  function encodePort(port: number): Uint8Array {
    let text = ports.get(port);
    if (text === undefined) {
      text = encoder.encode(`:${port}`);
      if (ports.size < 4096) ports.set(port, text);
    }
    return text;
  }

  return { read };
}
