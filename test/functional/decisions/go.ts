/** Builds a Go program of the tests; null where Go or its modules cannot be had: then one loud line, or with REQUIRE a failure. */
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface GoProgram {
  /** Path of the binary; null = not available. */
  readonly binary: string | null;
  /** Where it is; to be removed. */
  readonly directory: string;
}

export async function buildGo(source: URL, what: string, require: string): Promise<GoProgram> {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-go-'));
  const binary = join(directory, 'program');
  try {
    // as the modules' checksums in go.sum have it, and one package at a time: others use the machine too
    await run('go', ['build', '-mod=readonly', '-p', '1', '-o', binary, '.'], {
      cwd: source,
      timeout: 280_000,
      maxBuffer: 16 << 20,
    });
    return { binary, directory };
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const why = (stderr || message).trim().split('\n').slice(0, 3).join(' | ');
    if ((process.env.REQUIRE ?? '').split(',').includes(require)) throw new Error(`${what}: ${why}`);
    console.warn(`\n!!! SKIPPED: ${what}: ${why} (REQUIRE=${require} makes this a failure)\n`);
    return { binary: null, directory };
  }
}
