/** What the demo says while it runs: plain lines with the seconds since its start. */

export interface Narrator {
  say(line: string): void;
  /** Text without a time in front: the table, the addresses. */
  show(text: string): void;
}

export function createNarrator(now: () => number, write: (text: string) => void): Narrator {
  const startMs = now();
  return {
    say(line) {
      const seconds = Math.round((now() - startMs) / 1000);
      write(`${String(seconds).padStart(4)} s  ${line}\n`);
    },
    show(text) {
      write(`${text}\n`);
    },
  };
}
