/**
 * Raw rows in the order they came → a segment's columns in the order of its tree: spans, then the parameters of each, with
 * the two names of a call, its callee's service and its address.
 */
import { SpanKind } from '../../schemas/otlp/fields.ts';
import { ParameterSource, type Segment, type Symbols } from '../segment.ts';
import { reserveParameters, reserveSpans } from './columns.ts';
import { copyValue, type RawParameters, type RawSpans } from './raw.ts';
import { fillSelfTimes } from './self-time.ts';
import type { Tree } from './tree.ts';

export interface Emitter {
  /** Columns of all spans in `raw`; the tree is built. */
  spans(into: Segment): void;
  /** After `spans`. */
  parameters(into: Segment): void;
}

export function createEmitter(symbols: Symbols, raw: RawSpans, rawParameters: RawParameters, tree: Tree): Emitter {
  const egress = symbols.intern('egress');
  const encoder = new TextEncoder();
  const calleeTexts: Uint8Array[] = [];

  /** Whether a child of raw span `i` is the callee of its call; its raw index, −1 when it is not there. */
  function calleeOf(i: number): number {
    for (let child = tree.first[i]!; child >= 0; child = tree.next[child]!) {
      const kind = raw.kind[child];
      if (kind === SpanKind.server || kind === SpanKind.consumer || raw.service[child] !== raw.service[i]) return child;
    }
    return -1;
  }

  function spans(into: Segment): void {
    const count = raw.count;
    reserveSpans(into, count);
    into.spanCount = count;
    const { order, position, parent, first, next, orphan } = tree;
    for (let k = 0; k < count; k++) {
      const i = order[k]!;
      into.spanIdHigh[k] = raw.idHigh[i]!;
      into.spanIdLow[k] = raw.idLow[i]!;
      into.parent[k] = parent[i]! < 0 ? -1 : position[parent[i]!]!;
      into.orphan[k] = orphan[i]!;
      into.firstChild[k] = first[i]! < 0 ? -1 : position[first[i]!]!;
      into.nextSibling[k] = next[i]! < 0 ? -1 : position[next[i]!]!;
      into.childCount[k] = 0;
      if (k > 0) into.childCount[into.parent[k]!]!++;
      into.label[k] = raw.label[i]!;
      into.service[k] = raw.service[i]!;
      into.version[k] = raw.version[i]!;
      into.operation[k] = raw.operation[i]!;
      into.kind[k] = raw.kind[i]!;
      into.outcome[k] = raw.outcome[i]!;
      into.httpStatus[k] = raw.httpStatus[i]!;
      into.startNs[k] = raw.startNs[i]!;
      into.durationNs[k] = raw.durationNs[i]!;
    }
    fillSelfTimes(into);
  }

  /** Parameters in the order of their spans; a call's own path and query are left to the callee where that is present. */
  function parameters(into: Segment): void {
    reserveParameters(into, rawParameters.count + 2 * raw.count);
    const values = rawParameters;
    let to = 0;
    for (let k = 0; k < raw.count; k++) {
      const i = tree.order[k]!;
      const outgoing = raw.kind[i] === SpanKind.client || raw.kind[i] === SpanKind.producer;
      const callee = outgoing ? calleeOf(i) : -1;
      for (let p = raw.parameterFrom[i]!; p < raw.parameterTo[i]!; p++) {
        const source = values.source[p]!;
        if (callee >= 0 && source <= ParameterSource.query) continue;
        into.parameterSpan[to] = k;
        into.parameterSource[to] = source;
        into.parameterName[to] = values.name[p]!;
        into.parameterStart[to] = values.start[p]!;
        into.parameterEnd[to++] = values.end[p]!;
      }
      if (!outgoing) continue;
      // Both names of a callee, its service and its address: when its own span is lost, the address alone must be known.
      if (callee >= 0 && raw.service[callee] !== raw.service[i]) {
        const text = calleeText(raw.service[callee]!);
        to = addEgress(into, to, k, copyValue(into, values, text, 0, text.length), values.valueEnd);
      }
      to = addEgress(into, to, k, raw.egressStart[i]!, raw.egressEnd[i]!);
    }
    into.parameterCount = to;
  }

  function addEgress(into: Segment, to: number, span: number, start: number, end: number): number {
    if (end <= start) return to;
    into.parameterSpan[to] = span;
    into.parameterSource[to] = ParameterSource.egress;
    into.parameterName[to] = egress;
    into.parameterStart[to] = start;
    into.parameterEnd[to] = end;
    return to + 1;
  }

  function calleeText(service: number): Uint8Array {
    let text = calleeTexts[service];
    if (text === undefined) {
      text = encoder.encode(`service:${symbols.text(service)}`);
      calleeTexts[service] = text;
    }
    return text;
  }

  return { spans, parameters };
}
