/** Character classes: letters, digits and blanks each one class, every ASCII punctuation mark a class of its own. */

export const CharacterClass = {
  lower: 0,
  upper: 1,
  digit: 2,
  space: 3,
  tab: 4,
  lineBreak: 5,
  nul: 6,
  control: 7,
  beyondAscii: 8,
  /** First punctuation mark; 32 of them follow. */
  mark: 9,
} as const;

const MARKS = '!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
export const CLASS_COUNT = CharacterClass.mark + MARKS.length;

const table = (): Uint8Array => {
  const classes = new Uint8Array(256).fill(CharacterClass.control);
  classes.fill(CharacterClass.beyondAscii, 128);
  classes.fill(CharacterClass.digit, 0x30, 0x3a);
  classes.fill(CharacterClass.upper, 0x41, 0x5b);
  classes.fill(CharacterClass.lower, 0x61, 0x7b);
  classes[0x20] = CharacterClass.space;
  classes[0x09] = CharacterClass.tab;
  classes[0x0a] = CharacterClass.lineBreak;
  classes[0x0d] = CharacterClass.lineBreak;
  classes[0x00] = CharacterClass.nul;
  for (let i = 0; i < MARKS.length; i++) classes[MARKS.charCodeAt(i)] = CharacterClass.mark + i;
  return classes;
};

/** Class of each byte. Bytes of a multi-byte UTF-8 character are all `beyondAscii`. */
export const CLASS_OF: Readonly<Uint8Array> = table();

const NAMES = ['letters', 'capitals', 'digits', 'blanks', 'tabs', 'line breaks', 'NUL bytes', 'control characters'];

/** For people: `quotes` stands for itself, a mark is shown as it is. */
export const className = (cls: number): string =>
  cls >= CharacterClass.mark ? `‘${MARKS[cls - CharacterClass.mark]}’` : (NAMES[cls] ?? 'characters beyond ASCII');

export const isMark = (cls: number): boolean => cls >= CharacterClass.mark;
