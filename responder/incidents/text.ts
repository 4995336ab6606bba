/** Texts come from telemetry, of any length: cut without leaving half a character, which no JSON reader has to take. */

export const cut = (text: string, most: number): string =>
  text.length <= most ? text : text.slice(0, most).toWellFormed();
