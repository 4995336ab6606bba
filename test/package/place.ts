/** An empty folder with the packed package installed in it, and an environment in which nothing of the checkout is found. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { mustBe, run } from './commands.ts';

export const ROOT = resolve(import.meta.dirname, '../..');

export interface Place {
  readonly folder: string;
  readonly tarball: string;
  /** The installed command. */
  readonly command: string;
  /** Of `npm` itself: it finds the registry as on this machine. */
  readonly installEnv: NodeJS.ProcessEnv;
  /** Of commands that are tried: plain Node 24, nothing else of ours. */
  readonly env: NodeJS.ProcessEnv;
  /** The temporary directory of what runs there. */
  readonly temporary: string;
  /** Below the folder, made. */
  directory(name: string): string;
  remove(): void;
}

/** Without what `npm run` set for this checkout. */
const outsideEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_|INIT_CWD$|NODE_OPTIONS$|NODE_PATH$|NODE_ENV$|SPANWARDEN_|CLICKHOUSE_|KAFKA_|OTEL_)/i.test(name),
    ),
  );

/** npm as a file that Node can run, whatever Node the `npm` of the machine is made for. */
function npmFile(): string {
  const own = process.env.npm_execpath;
  if (own !== undefined && /npm-cli\.c?js$/.test(own)) return own;
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const found = join(directory, 'npm');
    if (existsSync(found) && /npm-cli\.c?js$/.test(realpathSync(found))) return realpathSync(found);
  }
  throw new Error('npm is not on the PATH');
}

/** Packs the checkout (which builds it) and installs the tarball with its optional packages, from the registry. */
export async function preparePlace(): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'spanwarden-package-'));
  const directory = (name: string): string => {
    mkdirSync(join(folder, name), { recursive: true });
    return join(folder, name);
  };
  const remove = (): void => rmSync(folder, { recursive: true, force: true });
  try {
    const node = join(directory('bin'), 'node');
    symlinkSync(realpathSync(process.execPath), node);
    const npm = npmFile();
    symlinkSync(npm, join(folder, 'bin/npm'));
    const installEnv = { ...outsideEnvironment(), PATH: [join(folder, 'bin'), '/usr/bin', '/bin'].join(delimiter) };

    const packing = await run(process.execPath, [npm, 'pack', '--pack-destination', directory('packed')], {
      cwd: ROOT,
      env: outsideEnvironment(),
      withinMs: 300_000,
    });
    mustBe('npm pack', packing.code, 0, packing.out + packing.err);
    const tarball = join(folder, 'packed', readdirSync(join(folder, 'packed'))[0]!);

    const installed = directory('app');
    const install = await run(
      node,
      [
        npm,
        'install',
        '--no-audit',
        '--no-fund',
        '--include=optional',
        '--loglevel=error',
        '--fetch-retries=2',
        tarball,
      ],
      { cwd: installed, env: installEnv, withinMs: 600_000 },
    );
    mustBe('npm install', install.code, 0, install.out + install.err);

    const temporary = directory('tmp');
    return {
      folder,
      tarball,
      command: join(installed, 'node_modules/.bin/spanwarden'),
      installEnv,
      env: { PATH: join(folder, 'bin'), HOME: directory('home'), TMPDIR: temporary },
      temporary,
      directory,
      remove,
    };
  } catch (error) {
    remove();
    throw error;
  }
}
