/** `spanwarden run`: the roles named, or all of them, until a signal. */
import { processEnvironment } from '../runtime/config/environment.ts';
import { loadConfig } from '../runtime/config/load.ts';
import { maskConfig } from '../runtime/config/mask.ts';
import { drainOnSignal, parentOf } from '../runtime/lifecycle/signals.ts';
import { createLogger } from '../runtime/telemetry/logger.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import { ALL_ROLES, type Role, type RoleAddresses, type RunningRoles, startRoles } from './roles.ts';

export const run: Command = {
  summary: 'run roles: collector, trainer, detector, responder, console (default: all)',
  help: `
usage: spanwarden run [ROLE…] [--config FILE] [--attached]

ROLE is one of ${ALL_ROLES.join(', ')}; without one, all run in this process. They meet over the log and ClickHouse.
Log lines go to stderr. SIGTERM or Ctrl-C drains and stops; a second one exits at once: nothing acknowledged is lost.

--config FILE   the YAML file (default: the one SPANWARDEN_CONFIG names, else none)
--attached      for a process that starts this one: when the roles run, one line of JSON on standard output says on which
                ports ({"ports":{"http":…,"otlpGrpc":…,"otlpHttp":…}}), and they drain when standard input is closed

exit codes: 0 stopped by a signal · 1 could not start, or a role failed · 2 wrong configuration · 130 second signal
`,
  async run(args) {
    const { values, positionals } = parse(args, { config: { type: 'string' }, attached: { type: 'boolean' } });
    const roles = positionals.length > 0 ? positionals.map(roleOf) : ALL_ROLES;
    const config = loadConfig({ file: values.config, env: processEnvironment() });
    const logger = createLogger({ name: roles.length === 1 ? roles[0]! : 'spanwarden', level: config.telemetry.level });
    logger.info({ config: maskConfig(config) }, 'effective configuration');
    const starting = new AbortController();
    const started = startRoles(config, roles, { logger, signal: starting.signal });
    const drain = drainOnSignal({
      async stop(deadlineMs) {
        starting.abort(); // a start that waits for ClickHouse ends, and takes back what it began
        const running = await started.catch(() => undefined);
        await running?.stop(deadlineMs);
      },
      deadlineMs: config.telemetry.stopDeadlineMs,
      logger,
      ...(values.attached && { source: parentOf(process.stdin) }),
    });
    try {
      const running = await started;
      if (values.attached) process.stdout.write(`${JSON.stringify({ ports: portsOf(running.addresses) })}\n`);
      return await Promise.race([drain.drained, running.failed.catch((error: unknown) => failed(running, error))]);
    } catch (error) {
      if (starting.signal.aborted) return drain.drained;
      throw error;
    } finally {
      drain.release();
    }

    async function failed(running: RunningRoles, error: unknown): Promise<number> {
      logger.error({ err: error }, 'a role failed; stopping');
      await running.stop(config.telemetry.stopDeadlineMs);
      return ExitCode.failed;
    }
  },
};

function portsOf({ metrics, collector }: RoleAddresses): Record<string, number> {
  return {
    ...(metrics[0] !== undefined && { http: Number(new URL(metrics[0].url).port) }),
    ...(collector !== undefined && { otlpGrpc: collector.grpc.port, otlpHttp: collector.http.port }),
  };
}

function roleOf(name: string): Role {
  const role = ALL_ROLES.find((known) => known === name);
  if (role === undefined) throw new UsageError(`no role '${name}'; there are ${ALL_ROLES.join(', ')}`);
  return role;
}
