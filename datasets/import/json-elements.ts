/**
 * Elements of a JSON document, one by one, without holding the document: of a list `[…]`, of a named list in an object
 * (`{"data": […]}`), or else each whole object. Documents may follow one another. Only the nesting is looked at, byte by byte;
 * whoever takes an element parses it, and one that cannot be parsed costs nobody else.
 */

export interface JsonElement {
  /** From 1, over the whole input. */
  readonly number: number;
  /** Where it begins in the decompressed input. */
  readonly byte: number;
  /** Empty when it is longer than may be held. */
  readonly text: string;
  /** Why it is not whole. */
  readonly problem?: string;
}

export interface ElementOptions {
  /** Name of the list in a top-level object whose elements are wanted. */
  readonly list?: string;
  readonly maxElementBytes: number;
}

export async function* jsonElements(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  options: ElementOptions,
): AsyncGenerator<JsonElement> {
  const scanner = createElementScanner(options);
  for await (const chunk of chunks) {
    scanner.push(chunk);
    yield* scanner.taken();
  }
  scanner.end();
  yield* scanner.taken();
}

export interface ElementScanner {
  push(chunk: Buffer): void;
  end(): void;
  /** The elements that ended since it was last asked. */
  taken(): JsonElement[];
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const RETURN = 0x0d;
const SPACE = 0x20;
const TAB = 0x09;
const COMMA = 0x2c;
const COLON = 0x3a;
const LIST = 0x5b;
const LIST_END = 0x5d;
const OBJECT = 0x7b;
const OBJECT_END = 0x7d;

/** A key that is longer is not the one that is looked for. */
const MAX_KEY = 32;

export function createElementScanner({ list, maxElementBytes }: ElementOptions): ElementScanner {
  /** Open brackets. */
  const open: number[] = [];
  /** Brackets around an element: 0 when whole documents are taken, 1 in a list, 2 in the named list of an object. */
  let around = 0;
  let inString = false;
  let escaped = false;
  /** The string before a colon in a top-level object. */
  let key = '';
  let keyEnded = false;
  // The element being read.
  let held: Buffer[] | undefined;
  let heldBytes = 0;
  let heldFrom = 0;
  /** It is no list or object: it ends with the line or at a comma. */
  let bare = false;
  // The chunk being read.
  let chunk: Buffer = Buffer.alloc(0);
  let chunkByte = 0;
  /** Where in it the element goes on. */
  let from = 0;
  let number = 0;
  let ready: JsonElement[] = [];

  function begin(at: number, isBare: boolean): void {
    held = [];
    heldBytes = 0;
    heldFrom = chunkByte + at;
    from = at;
    bare = isBare;
  }

  function keepTo(end: number): void {
    if (held === undefined) return;
    heldBytes += end - from;
    if (heldBytes <= maxElementBytes) held.push(chunk.subarray(from, end));
    else held = [];
    from = end;
  }

  function finish(end: number, problem?: string): void {
    keepTo(end);
    const whole = heldBytes <= maxElementBytes;
    const wrong = whole ? problem : `longer than ${maxElementBytes} bytes`;
    ready.push({
      number: ++number,
      byte: heldFrom,
      text: whole ? Buffer.concat(held!).toString('utf8') : '',
      ...(wrong !== undefined && { problem: wrong }),
    });
    held = undefined;
    bare = false;
  }

  function opens(code: number, at: number): void {
    if (bare) finish(at);
    const depth = open.length;
    if (code === LIST && depth === 0) around = 1;
    else if (code === LIST && depth === 1 && around === 0 && keyEnded && key === list) {
      around = 2;
      held = undefined; // the object around the list is no element
    } else if (depth === around && held === undefined) begin(at, false);
    keyEnded = false;
    open.push(code);
  }

  function closes(code: number, at: number): void {
    if (bare) finish(at);
    // `]` where `}` was due: what was left open inside is closed with it.
    const matching = open.lastIndexOf(code === LIST_END ? LIST : OBJECT);
    if (matching < 0) return;
    open.length = matching;
    if (matching < around) {
      if (held !== undefined) finish(at);
      if (matching === 0) around = 0;
    } else if (matching === around && held !== undefined) finish(at + 1);
  }

  function string(code: number): void {
    if (escaped) escaped = false;
    else if (code === BACKSLASH) escaped = true;
    // A line cannot end inside a string of JSON: its quote is missing.
    else if (code === QUOTE || code === NEWLINE) inString = false;
    else if (open.length === 1 && key.length <= MAX_KEY) key += String.fromCharCode(code);
  }

  return {
    push(given) {
      chunk = given;
      from = 0;
      for (let i = 0; i < given.length; i++) {
        const code = given[i]!;
        if (inString) string(code);
        else if (code === SPACE || code === RETURN || code === TAB) continue;
        else if (code === COMMA || code === NEWLINE) {
          if (bare) finish(i);
          if (code === COMMA) keyEnded = false;
        } else if (code === COLON) keyEnded = open.length === 1;
        else if (code === LIST || code === OBJECT) opens(code, i);
        else if (code === LIST_END || code === OBJECT_END) closes(code, i);
        else {
          if (open.length === around && held === undefined) begin(i, true);
          if (code !== QUOTE) continue;
          inString = true;
          key = '';
        }
      }
      keepTo(given.length);
      chunkByte += given.length;
    },
    end() {
      if (held === undefined) return;
      from = chunk.length;
      finish(chunk.length, bare ? undefined : 'the input ends inside it');
    },
    taken() {
      const elements = ready;
      ready = [];
      return elements;
    },
  };
}

/**
 * Whole objects inside the text of an element that cannot be parsed: a bracket that is missing in one element makes it swallow
 * those that follow. Only what `wanted` knows is taken, as the broken element's own parts are objects too.
 */
export function salvage(text: string, wanted: (value: unknown) => boolean, depth = 0): unknown[] {
  if (!/^\s*[[{]/.test(text) || depth > MAX_SALVAGE) return [];
  const scanner = createElementScanner({ maxElementBytes: text.length * 4 });
  scanner.push(Buffer.from(text.slice(text.search(/[[{]/) + 1)));
  scanner.end();
  return scanner.taken().flatMap((element) => {
    try {
      const value: unknown = JSON.parse(element.text);
      return wanted(value) ? [value] : [];
    } catch {
      return salvage(element.text, wanted, depth + 1);
    }
  });
}

/** Broken elements one in the other. */
const MAX_SALVAGE = 100;
