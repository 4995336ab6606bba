/** Anomalies of time and outcome: calls too slow, too fast, or failed. */
import { SpanKind, StatusCode } from '../../../schemas/otlp/fields.ts';
import { calleeOf, callOf, callTreeOf, pickInner } from './call-tree.ts';
import type { Plant } from './mutation.ts';
import { moveEnd } from './times.ts';
import { attributeOf, type CopiedSpan, withAttribute } from './trace-copy.ts';

/** A call takes `factor` times as long, and at least `leastNs` longer: spent in itself, after its own calls. */
export const slow =
  (factor: number, leastNs: number): Plant =>
  (trace, { random }) => {
    const tree = callTreeOf(trace);
    const span = calleeOf(tree, pickInner(tree, trace, random) ?? tree.root);
    const ns = span.endNs - span.startNs;
    const byNs = Math.max((factor - 1) * ns, leastNs);
    if (byNs < 1) return undefined;
    moveEnd(tree, span, byNs);
    return { trace, at: span, words: `${span.label} takes ${factor} times as long` };
  };

/** A call and all it caused takes a part of its time: work that was not done. */
export const fast =
  (divisor: number): Plant =>
  (trace, { random }) => {
    const tree = callTreeOf(trace);
    const span = callOf(tree, pickInner(tree, trace, random) ?? tree.root);
    const { startNs, endNs } = span;
    const to = (ns: number): number => startNs + (ns - startNs) / divisor;
    const byNs = to(endNs) - endNs;
    if (byNs > -1) return undefined;
    moveEnd(tree, span, byNs);
    for (const inner of tree.subtreeOf(span)) {
      if (inner === span) continue;
      inner.endNs = to(inner.endNs);
      inner.startNs = to(inner.startNs);
    }
    return { trace, at: span, words: `${calleeOf(tree, span).label} takes a ${divisor}th of its time` };
  };

const OUTCOMES = ['http.response.status_code', 'http.status_code'];
const RPC_OUTCOMES = ['rpc.response.status_code', 'rpc.status_code', 'rpc.grpc.status_code'];

/** Traffic that never says how a call ended cannot say that it failed. */
const saysOutcome = ({ statusCode, attributes }: CopiedSpan): boolean =>
  statusCode !== StatusCode.unset || attributeOf(attributes, ...OUTCOMES, ...RPC_OUTCOMES) !== undefined;

/** A call fails that had not. */
export const failed: Plant = (trace, { random }) => {
  const tree = callTreeOf(trace);
  const span = calleeOf(tree, pickInner(tree, trace, random) ?? tree.root);
  if (span.statusCode === StatusCode.error || !trace.spans.some(saysOutcome)) return undefined;
  const caller = tree.parentOf(span);
  for (const one of caller !== undefined && caller.kind === SpanKind.client ? [span, caller] : [span]) {
    one.statusCode = StatusCode.error;
    for (const key of OUTCOMES) {
      if (attributeOf(one.attributes, key) !== undefined)
        one.attributes = withAttribute(one.attributes, key, { intValue: '500' });
    }
    for (const key of RPC_OUTCOMES) {
      const code = attributeOf(one.attributes, key);
      if (code === undefined) continue;
      const value = /^\d+$/.test(code) ? { intValue: '13' } : { stringValue: 'INTERNAL' };
      one.attributes = withAttribute(one.attributes, key, value);
    }
  }
  return { trace, at: span, words: `${span.label} fails` };
};
