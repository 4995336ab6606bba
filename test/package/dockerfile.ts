/** A Dockerfile as stages of instructions, and .dockerignore as what a context holds. */

export interface Instruction {
  readonly name: string;
  /** One line, continuations joined. */
  readonly text: string;
}

export interface Stage {
  readonly name: string;
  /** An image, or the name of an earlier stage. */
  readonly from: string;
  readonly instructions: readonly Instruction[];
}

export function parseDockerfile(source: string): Stage[] {
  const stages: { name: string; from: string; instructions: Instruction[] }[] = [];
  const text = source.replace(/^\s*#.*\n/gm, '').replace(/\\\n\s*/g, ' ');
  for (const line of text.split('\n')) {
    const found = /^([A-Z]+)\s+(.+)$/.exec(line.trim());
    if (found === null) {
      if (line.trim() !== '') throw new Error(`not an instruction: ${line}`);
      continue;
    }
    const [, name, rest] = found as unknown as [string, string, string];
    if (name === 'FROM') {
      const [from, , as] = rest.split(/\s+/);
      stages.push({ name: as ?? `stage ${stages.length}`, from: from!, instructions: [] });
    } else stages.at(-1)!.instructions.push({ name, text: rest.trim() });
  }
  return stages;
}

/** What COPY takes, from where, to what. Options other than --from are not understood. */
export function copyOf(text: string): {
  readonly from: string | null;
  readonly sources: string[];
  readonly to: string;
} {
  const words = text.split(/\s+/);
  const options = words.filter((word) => word.startsWith('--'));
  const from = options.find((option) => option.startsWith('--from='))?.slice('--from='.length) ?? null;
  if (options.length > (from === null ? 0 : 1)) throw new Error(`COPY ${text}: an option that is not understood here`);
  const paths = words.filter((word) => !word.startsWith('--'));
  return { from, sources: paths.slice(0, -1), to: paths.at(-1)! };
}

function patternOf(line: string): RegExp {
  const inner = line
    .replace(/\/$/, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/|\*/g, (stars) => (stars === '*' ? '[^/]*' : '(?:.*/)?'));
  return new RegExp(`^${inner}(?:/|$)`);
}

/** Whether a file, by its path below the context, is left out: the last line that matches it or a folder above it decides. */
export function createIgnore(source: string): (path: string) => boolean {
  const rules = source
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({ out: !line.startsWith('!'), pattern: patternOf(line.replace(/^!/, '')) }));
  return (path) => rules.findLast(({ pattern }) => pattern.test(path))?.out ?? false;
}
