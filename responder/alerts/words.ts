/** Texts on their way into a body: redacted once more, bounded, and sentences without what steers. */
import { cut, plain } from './text.ts';

const MAX_TITLE = 1_024;
/** A body stays a fraction of a megabyte whatever requests name and say. */
const MAX_NAME = 512;
const MAX_TEXT = 2_000;

export interface Words {
  /** Of a service, an operation, a parameter: as it is, to be looked up by. */
  name(text: string): string;
  /** What was expected or seen: as it is. */
  value(text: string): string;
  /** For people's eyes. */
  sentence(text: string): string;
  title(text: string): string;
}

/** `look` takes secrets out by their names and shapes; what was redacted before stays as it is. */
export function createWords(look: (text: string) => string = (text) => text): Words {
  return {
    name: (text) => cut(look(text), MAX_NAME),
    value: (text) => cut(look(text), MAX_TEXT),
    sentence: (text) => cut(plain(look(text)), MAX_TEXT),
    title: (text) => cut(plain(look(text)), MAX_TITLE),
  };
}

/** Spans may claim any time: one that no calendar holds is the nearest it does. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
export const iso = (ms: number): string => new Date(Math.min(Math.max(ms || 0, 0), LAST_MS)).toISOString();
