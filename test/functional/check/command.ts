/** The command as a process: its exit code and what it says. */
import { execFile } from 'node:child_process';

export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export const spanwarden = (...args: readonly string[]): Promise<Said> =>
  new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR };
    const options = { env, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, ['cli/spanwarden.ts', ...args], options, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
  });
