/**
 * Does what the Dockerfile says without an engine: every stage is a folder, COPY copies (from the context as .dockerignore leaves
 * it), RUN runs, absolute paths of ours are below the stage's folder. What it does not show: the base image, users, the layers.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { mustBe, run } from './commands.ts';
import { copyOf, createIgnore, type Instruction, parseDockerfile } from './dockerfile.ts';

export interface Image {
  /** Stands for `/`. */
  readonly root: string;
  readonly workdir: string;
  readonly env: Readonly<Record<string, string>>;
  readonly user: string;
  /** Arguments in exec form, with paths of the folder. */
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
}

interface Building {
  root: string;
  workdir: string;
  env: Record<string, string>;
  user: string;
  entrypoint: readonly string[];
  healthcheck: readonly string[];
}

/** Folders of an image that are ours; others (`/usr`, …) are the machine's. */
const OURS = /(?<=^|[\s"'=:])\/(build|opt|var\/lib\/spanwarden)(?=[\s/"']|$)/g;

export interface ImageOptions {
  readonly context: string;
  /** An empty folder. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly withinMs: number;
}

export async function buildImage(options: ImageOptions): Promise<Image> {
  const { context, folder } = options;
  const stages = parseDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8'));
  const ignored = createIgnore(readFileSync(join(context, '.dockerignore'), 'utf8'));
  const built = new Map<string, Building>();
  let last: Building | undefined;
  for (const [index, { name, from, instructions }] of stages.entries()) {
    const base = built.get(from);
    const root = join(folder, String(index));
    mkdirSync(root, { recursive: true });
    if (base !== undefined) cpSync(base.root, root, { recursive: true, verbatimSymlinks: true });
    last = base
      ? { ...base, env: { ...base.env }, root }
      : { root, workdir: '/', env: {}, user: '', entrypoint: [], healthcheck: [] };
    for (const instruction of instructions) await apply(instruction, last, built, options, ignored);
    built.set(name, last);
  }
  if (last === undefined) throw new Error('the Dockerfile has no stage');
  return last;
}

async function apply(
  { name, text }: Instruction,
  stage: Building,
  built: ReadonlyMap<string, Building>,
  { context, env, withinMs }: ImageOptions,
  ignored: (path: string) => boolean,
): Promise<void> {
  const inside = (path: string): string => join(stage.root, posix.resolve(stage.workdir, path));
  const ours = (words: string): string => words.replace(OURS, (path) => join(stage.root, path));
  const exec = (form: string): string[] => (JSON.parse(form) as string[]).map(ours);
  switch (name) {
    case 'WORKDIR':
      stage.workdir = posix.resolve(stage.workdir, text);
      mkdirSync(inside('.'), { recursive: true });
      return;
    case 'ENV':
      for (const pair of text.split(/\s+/)) stage.env[pair.split('=')[0]!] = pair.slice(pair.indexOf('=') + 1);
      return;
    case 'RUN': {
      // giving files away is for root; the rest of the command is not
      const command = process.getuid?.() === 0 ? text : text.replace(/ --(owner|group)=\S+/g, '');
      const done = await run('sh', ['-euc', ours(command)], {
        cwd: inside('.'),
        env: { ...env, ...stage.env },
        withinMs,
      });
      mustBe(`RUN ${text}`, done.code, 0, done.out + done.err);
      return;
    }
    case 'COPY': {
      const { from, sources, to } = copyOf(text);
      const source = from === null ? undefined : built.get(from);
      if (from !== null && source === undefined) throw new Error(`COPY --from=${from}: no such stage`);
      for (const path of sources) {
        const origin = source === undefined ? join(context, path) : join(source.root, path);
        if (!existsSync(origin)) throw new Error(`COPY ${text}: ${path} is not there`);
        copy(
          origin,
          inside(to),
          to.endsWith('/') || sources.length > 1,
          source === undefined ? context : null,
          ignored,
        );
      }
      return;
    }
    case 'USER':
      stage.user = text;
      return;
    case 'ENTRYPOINT':
      stage.entrypoint = exec(text);
      return;
    case 'HEALTHCHECK':
      stage.healthcheck = exec(text.slice(text.indexOf('CMD') + 'CMD'.length));
      return;
    case 'CMD':
    case 'EXPOSE':
      return;
    default:
      throw new Error(`${name} is not understood here`);
  }
}

/** A file into a folder or to a name; a folder's content into a folder. With `context`, as .dockerignore leaves it. */
function copy(
  origin: string,
  target: string,
  intoFolder: boolean,
  context: string | null,
  ignored: (path: string) => boolean,
): void {
  const isLeftOut = (file: string): boolean => context !== null && ignored(posix.relative(context, file));
  if (statSync(origin).isFile()) {
    if (isLeftOut(origin)) throw new Error(`${basename(origin)} is wanted, and .dockerignore leaves it out`);
    const file = intoFolder ? join(target, basename(origin)) : target;
    mkdirSync(dirname(file), { recursive: true });
    cpSync(origin, file);
    return;
  }
  if (context === null) {
    cpSync(origin, target, { recursive: true, verbatimSymlinks: true });
    return;
  }
  for (const entry of readdirSync(origin, { withFileTypes: true })) {
    const path = join(origin, entry.name);
    if (entry.name === 'node_modules' || entry.name === '.git') continue;
    if (entry.isDirectory()) copy(path, join(target, entry.name), true, context, ignored);
    else if (entry.isFile() && !isLeftOut(path)) {
      mkdirSync(target, { recursive: true });
      cpSync(path, join(target, entry.name));
    }
  }
}
