/**
 * Text from outside made fit for people's eyes: what steers a terminal, a browser or the direction of writing is shown as an
 * escape instead of obeyed, and nothing is longer than its place allows. Names, keys and values of requests are an attacker's words.
 */

/**
 * Controls (C0, DEL, C1), direction marks and overrides (Unicode TR 36 §2.5, CVE-2021-42574), invisible characters, separators that
 * end a line, tags, interlinear annotation, and halves of surrogate pairs.
 */
const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu;

const escaped = (character: string): string => {
  const code = character.codePointAt(0)!;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
};

/** One line without anything that steers; idempotent. */
export const plain = (text: string): string => text.replace(STEERING, escaped);

/** At most `max` UTF-16 units, as limits of receivers are counted, never ending in half a character. */
export function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = max - 1;
  const whole = (text.charCodeAt(end - 1) & 0xfc00) === 0xd800 ? end - 1 : end;
  return `${text.slice(0, whole)}…`;
}

/** For a place that shows one line. */
export const line = (text: string, max: number): string => cut(plain(text), max);

/** A time for people: UTC, to the second. */
export const when = (iso: string): string => `${iso.slice(0, 19).replace('T', ' ')} UTC`;
