/** Which format an input has, by its first bytes. */

export const FORMATS = ['otlp', 'jaeger', 'zipkin'] as const;
export type Format = (typeof FORMATS)[number];

/** How its values are laid out: messages with a length before them, a line each, or JSON of any layout. */
export interface Layout {
  readonly format: Format;
  readonly framing: 'messages' | 'lines' | 'document';
}

/** How much of an input is looked at. */
export const HEAD_BYTES = 256 * 1024;

/** Keys that only one of the formats has; the first one seen decides. */
const KEYS =
  /(?<!\\)"(?:(resourceSpans|resource_spans)|(traceID|spanID|operationName|processes|processID)|(localEndpoint|remoteEndpoint|binaryAnnotations|traceId))"\s*:/;

/** `head` is the beginning of the input, all of it when it is short. `given` overrides the format, never the framing. */
export function detectLayout(head: Buffer, given?: Format): Layout {
  if (isMessage(head)) return { format: given ?? 'otlp', framing: 'messages' };
  const text = head
    .toString('utf8')
    .replace(/^\uFEFF/, '')
    .trimStart();
  const format = given ?? formatOf(text);
  return { format, framing: framingOf(text, format, head.length >= HEAD_BYTES) };
}

function formatOf(text: string): Format {
  const found = KEYS.exec(text);
  if (found?.[1] !== undefined) return 'otlp';
  if (found?.[2] !== undefined) return 'jaeger';
  if (found?.[3] !== undefined) return 'zipkin';
  if (/^\{\s*"data"\s*:/.test(text)) return 'jaeger'; // an answer without traces, or with errors
  return 'otlp';
}

/**
 * A length of four bytes, then protobuf's first field, JSON or a Zstandard frame: the Collector's file exporter with
 * `format: proto` or `compression: zstd`. A text begins with no such byte: a length up to 128 MiB begins with less than 0x09.
 */
function isMessage(head: Buffer): boolean {
  if (head.length < 5 || head[0]! >= 0x09) return false;
  const first = head[4]!;
  return first === 0x0a || first === 0x7b || (first === 0x28 && (head.length < 6 || head[5] === 0xb5));
}

/** One value a line, unless the first line is no whole value: then it is one document, or several, over many lines. */
function framingOf(text: string, format: Format, cut: boolean): 'lines' | 'document' {
  const end = text.indexOf('\n');
  const first = end < 0 ? text : text.slice(0, end);
  if (end < 0 && cut) return format === 'otlp' ? 'lines' : 'document'; // a very long line
  try {
    JSON.parse(first);
    return 'lines';
  } catch {
    // OTLP comes in lines, of which one may be damaged; laid out for people, its first line ends in the middle of something
    return format === 'otlp' && !/[[{,:]\s*$/.test(first) ? 'lines' : 'document';
  }
}
