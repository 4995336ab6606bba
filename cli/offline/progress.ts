/** Progress of work on files: one line on stderr, rewritten on a terminal, now and then elsewhere. */

const EVERY_MS = 200;
const EVERY_ELSEWHERE_MS = 5_000;

export interface ProgressLine {
  show(text: string): void;
  end(): void;
}

export function createProgressLine(stream: NodeJS.WriteStream, now: () => number): ProgressLine {
  const terminal = stream.isTTY === true;
  let lastMs = now();
  let shown = false;
  return {
    show(text) {
      if (now() - lastMs < (terminal ? EVERY_MS : EVERY_ELSEWHERE_MS)) return;
      lastMs = now();
      shown = true;
      stream.write(terminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end() {
      if (shown && terminal) stream.write('\r\u001b[K');
    },
  };
}
