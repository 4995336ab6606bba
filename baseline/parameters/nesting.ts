/** Elements and depth of a JSON-like text, by brackets and commas outside strings: no parser, so no limit on nesting. */

export interface Nesting {
  elements: number;
  depth: number;
}

/** Deeper than this is one bin. */
const MAX_DEPTH = 1_000;

export const readNesting = (bytes: Uint8Array, start: number, end: number, out: Nesting): void => {
  let depth = 0;
  let deepest = 0;
  let elements = 0;
  let quoted = false;
  for (let i = start; i < end; i++) {
    const b = bytes[i]!;
    if (quoted) {
      if (b === 0x5c) i++;
      else if (b === 0x22) quoted = false;
    } else if (b === 0x22) {
      quoted = true;
    } else if (b === 0x5b || b === 0x7b) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (b === 0x5d || b === 0x7d) {
      depth--;
    } else if (b === 0x2c) {
      elements++;
    }
  }
  out.elements = elements + 1;
  out.depth = Math.min(deepest, MAX_DEPTH);
};
