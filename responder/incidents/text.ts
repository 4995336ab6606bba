/** Texts come from telemetry, of any length: cut without leaving half a character, which no JSON reader has to take. */

export const cut = (text: string, most: number): string =>
  text.length <= most ? text : text.slice(0, most).toWellFormed();

/** FNV-1a with a final mix: texts that count up do not stay in order. 32 bits: for telling apart the few of one incident. */
export function hashOf(...texts: readonly string[]): number {
  let hash = 0x811c9dc5;
  for (const text of texts)
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}
