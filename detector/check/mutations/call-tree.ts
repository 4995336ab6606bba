/** Who called whom in a copied trace, and the calls of it: an outgoing span and the callee's span are one call. */
import { SpanKind } from '../../../schemas/otlp/fields.ts';
import type { Random } from './random.ts';
import type { CopiedSpan, TraceCopy } from './trace-copy.ts';

export interface CallTree {
  readonly root: CopiedSpan;
  /** Undefined for the root; a span whose parent is not in the trace hangs under the root, as the reader has it. */
  parentOf(span: CopiedSpan): CopiedSpan | undefined;
  /** By start, then span id. */
  childrenOf(span: CopiedSpan): readonly CopiedSpan[];
  /** The span and all below it, itself first. */
  subtreeOf(span: CopiedSpan): CopiedSpan[];
  /** Whether the parent is only missing: nobody says that the root made this call. */
  isOrphan(span: CopiedSpan): boolean;
}

export function callTreeOf({ spans }: Pick<TraceCopy, 'spans'>): CallTree {
  const root = spans[0]!;
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const parents = new Map<CopiedSpan, CopiedSpan>();
  const orphans = new Set<CopiedSpan>();
  const under = (span: CopiedSpan, parent: CopiedSpan | undefined): void => {
    if (parent === undefined || parent === span) orphans.add(span);
    parents.set(span, parent === undefined || parent === span ? root : parent);
  };
  for (const span of spans) if (span !== root) under(span, byId.get(span.parentId));
  // who does not reach the root goes round in a circle
  const good = new Set<CopiedSpan>([root]);
  for (const span of spans) {
    const walk = new Set<CopiedSpan>();
    let at: CopiedSpan = span;
    while (!good.has(at) && !walk.has(at)) {
      walk.add(at);
      at = parents.get(at)!;
    }
    if (!good.has(at)) under(at, undefined);
    for (const one of walk) good.add(one);
  }
  const children = new Map<CopiedSpan, CopiedSpan[]>();
  for (const span of spans) {
    const parent = parents.get(span);
    if (parent === undefined) continue;
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [span]);
    else siblings.push(span);
  }
  for (const siblings of children.values()) siblings.sort(byStart);
  const childrenOf = (span: CopiedSpan): readonly CopiedSpan[] => children.get(span) ?? [];
  return {
    root,
    parentOf: (span) => parents.get(span),
    childrenOf,
    subtreeOf(span) {
      const all = [span];
      for (let i = 0; i < all.length; i++) all.push(...childrenOf(all[i]!));
      return all;
    },
    isOrphan: (span) => orphans.has(span),
  };
}

export const byStart = (a: CopiedSpan, b: CopiedSpan): number =>
  a.startNs - b.startNs || (a.spanId < b.spanId ? -1 : 1);

const isOutgoing = ({ kind }: CopiedSpan): boolean => kind === SpanKind.client || kind === SpanKind.producer;
const isIncoming = ({ kind }: CopiedSpan): boolean => kind === SpanKind.server || kind === SpanKind.consumer;

/**
 * The call that a span is part of: for a callee's span the caller's, where that is there. Without one half, a call is not
 * missing, it is a service whose spans do not come.
 */
export function callOf(tree: CallTree, span: CopiedSpan): CopiedSpan {
  const parent = tree.parentOf(span);
  if (parent === undefined || parent === tree.root || tree.isOrphan(span)) return span;
  return isIncoming(span) && isOutgoing(parent) ? parent : span;
}

/** The span that does the work of a call: the callee's, where it is there. */
export function calleeOf(tree: CallTree, span: CopiedSpan): CopiedSpan {
  if (!isOutgoing(span)) return span;
  return (
    tree.childrenOf(span).find((child) => isIncoming(child) || child.resource.service !== span.resource.service) ?? span
  );
}

/** Whether calls are made from inside such a span: nothing but its callee lies in an outgoing one. */
export const makesCalls = (span: CopiedSpan): boolean => !isOutgoing(span);

/** Every span but the root, as likely as any other. */
export const pickInner = (tree: CallTree, { spans }: TraceCopy, random: Random): CopiedSpan | undefined =>
  spans.length < 2 ? undefined : random.of(spans.filter((span) => span !== tree.root));

/** A copy of spans under new ids; the first of them hangs under `parentId`. Times are moved by `byNs`. */
export function graft(spans: readonly CopiedSpan[], parentId: string, byNs: number, random: Random): CopiedSpan[] {
  const ids = new Map(spans.map(({ spanId }) => [spanId, newSpanId(random)]));
  return spans.map((span, i) => ({
    ...span,
    spanId: ids.get(span.spanId)!,
    parentId: i === 0 ? parentId : (ids.get(span.parentId) ?? parentId),
    startNs: span.startNs + byNs,
    endNs: span.endNs + byNs,
  }));
}

/** 16 hex digits, not all zero. */
export const newSpanId = (random: Random): string =>
  (1 + random.below(0xfffffffe)).toString(16).padStart(8, '0') +
  random.below(0x100000000).toString(16).padStart(8, '0');
