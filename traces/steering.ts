/**
 * Characters that steer what shows a text instead of being shown: names, keys and values of requests are an attacker's words, and people
 * read them in terminals, pages and chats. Controls (C0, DEL, C1), direction marks and overrides (Unicode TR 36 §2.5, CVE-2021-42574),
 * invisible characters, separators that end a line, tags, interlinear annotation, and halves of surrogate pairs.
 */

const STEERING =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gu;
/** Most texts, and quickly known to be harmless. */
const PLAIN_ASCII = /^[\x20-\x7e]*$/;

/** The text with each such character replaced, by one that stands for all or by what `by` makes of it. */
export const withoutSteering = (text: string, by: (character: string) => string = () => '\ufffd'): string =>
  PLAIN_ASCII.test(text) ? text : text.replace(STEERING, by);

export const hasSteering = (text: string): boolean => !PLAIN_ASCII.test(text) && text.search(STEERING) >= 0;
