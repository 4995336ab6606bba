/** Values of a Jaeger or Zipkin input, one by one: an element of a document's list, or a line. */
import { linesOf } from '../../runtime/files/lines.ts';
import { parseJson } from '../../schemas/otlp/json-numbers.ts';
import type { Layout } from './detect.ts';
import { jsonElements, salvage } from './json-elements.ts';

export interface Element {
  /** For people: the line or element. */
  readonly where: string;
  /** What could be read: one value, or what was found inside one that is broken. */
  readonly values: readonly unknown[];
  readonly problem?: string;
  readonly bytes: number;
}

export interface ElementReading {
  /** As runtime/files names it. */
  readonly input: string;
  readonly name: string;
  readonly maxBytes: number;
  /** Whether something is what the format's list holds: looked for inside broken elements. */
  readonly wanted: (value: unknown) => boolean;
}

export async function* elementsOf(
  chunks: AsyncIterable<Buffer>,
  { format, framing }: Layout,
  { input, name, maxBytes, wanted }: ElementReading,
): AsyncGenerator<Element> {
  const read = (where: string, text: string, problem?: string): Element => {
    const bytes = text.length;
    try {
      if (problem === undefined) return { where, bytes, values: [parseJson(text)] };
    } catch (error) {
      return { where, bytes, values: salvage(text, wanted), problem: `not JSON: ${(error as Error).message}` };
    }
    return { where, bytes, values: salvage(text, wanted), problem };
  };
  if (framing === 'lines') {
    for await (const { number, text } of linesOf(input, chunks, maxBytes)) {
      if (text.trim() !== '') yield read(`${name}:${number}`, number === 1 ? text.replace(/^\uFEFF/, '') : text);
    }
    return;
  }
  const list = format === 'jaeger' ? { list: 'data' } : {};
  for await (const { number, byte, text, problem } of jsonElements(chunks, { ...list, maxElementBytes: maxBytes })) {
    yield read(`${name}: element ${number} at byte ${byte}`, text, problem);
  }
}
