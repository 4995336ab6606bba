/** Structural keys of a trace: two with the same key cannot be told apart by their calls, so a planted anomaly that has one is none. */
import { createHash } from 'node:crypto';
import { type CallTree, callTreeOf } from './call-tree.ts';
import type { CopiedSpan, TraceCopy } from './trace-copy.ts';

/** Labels and exact counts, whatever their order. */
export function structuralKey(trace: TraceCopy): string {
  const tree = callTreeOf(trace);
  return digest(textOf(tree, tree.root, (children) => children.sort()));
}

/** The same, with siblings in the order in which they began. */
export function orderKey(trace: TraceCopy): string {
  const tree = callTreeOf(trace);
  return digest(textOf(tree, tree.root, (children) => children));
}

function textOf(tree: CallTree, span: CopiedSpan, arrange: (children: string[]) => string[]): string {
  const children = tree.childrenOf(span);
  if (children.length === 0) return span.label;
  return `${span.label}(${arrange(children.map((child) => digest(textOf(tree, child, arrange)))).join(',')})`;
}

const digest = (text: string): string => createHash('sha1').update(text).digest('base64url');
