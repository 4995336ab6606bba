#!/usr/bin/env node
/** The `spanwarden` command: finds the subcommand, prints help, turns errors into one line and an exit code. */
import { type Command, ExitCode, failureOf } from './command.ts';

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  run: async () => (await import('./run.ts')).run,
  demo: async () => (await import('./demo.ts')).demo,
  shop: async () => (await import('./shop.ts')).shop,
  train: async () => (await import('./train.ts')).train,
  score: async () => (await import('./score.ts')).score,
  check: async () => (await import('./check.ts')).check,
  sequence: async () => (await import('./sequence.ts')).sequence,
  status: async () => (await import('./status.ts')).status,
  incidents: async () => (await import('./incidents.ts')).incidents,
  actors: async () => (await import('./actors.ts')).actors,
  alerts: async () => (await import('./alerts.ts')).alerts,
  decisions: async () => (await import('./decisions.ts')).decisions,
  digest: async () => (await import('./digest.ts')).digest,
  edits: async () => (await import('./edits.ts')).edits,
  baseline: async () => (await import('./baseline.ts')).baseline,
  config: async () => (await import('./config.ts')).config,
};

async function overview(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(COMMANDS).map(async ([name, load]) => `  ${name.padEnd(11)}${(await load()).summary}`),
  );
  return `spanwarden: learns from OpenTelemetry traces how services normally call each other, and names the external client
behind what does not fit.

usage: spanwarden COMMAND [OPTION…]

${lines.join('\n')}

spanwarden COMMAND --help tells more.

exit codes: 0 done · 1 could not do its work · 2 wrong command line or configuration · 3 demo --once: something was
missed, wrongly attributed or falsely alerted; check: the detector is not to be trusted · 130 ended by a second signal
`;
}

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    process.stdout.write(await overview());
    return name === undefined ? ExitCode.usage : ExitCode.ok;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    process.stderr.write(`spanwarden: no command '${name}'; there are ${Object.keys(COMMANDS).join(', ')}\n`);
    return ExitCode.usage;
  }
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(`${command.help.trim()}\n`);
    return ExitCode.ok;
  }
  return command.run(rest);
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const { code, line } = failureOf(error);
    process.stderr.write(`spanwarden: ${line}\n`);
    if (code === ExitCode.usage) process.stderr.write(`spanwarden: see 'spanwarden ${process.argv[2] ?? ''} --help'\n`);
    process.exitCode = code;
  },
);
