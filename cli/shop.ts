/** `spanwarden shop`: the demo's shop and its customers alone, sending traces wherever they are wanted. */
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_CLIENTS, DEFAULT_RATE, startLoad } from '../datasets/load/generator.ts';
import { runScenarios } from '../datasets/scenarios/run.ts';
import type { TruthEvent } from '../datasets/scenarios/truth.ts';
import { startShop } from '../datasets/shop/supervisor.ts';
import { drainOnSignal } from '../runtime/lifecycle/signals.ts';
import { createLogger } from '../runtime/telemetry/logger.ts';
import { type Command, parse, UsageError, wholeNumber } from './command.ts';
import { createNarrator, type Narrator } from './demo/progress.ts';

const STOP_DEADLINE_MS = 10_000;

export const shop: Command = {
  summary: "run the demo's shop and its customers alone, against any OTLP endpoint",
  help: `
usage: spanwarden shop [--otlp URL] [--attack-after SECONDS] [--rate N] [--clients N] [--seed N] [--export-delay MS]

An instrumented shop of ten processes and traffic for it, as in the demo, for a deployment to be tried with: point it at an
OpenTelemetry Collector or at Spanwarden. Its only proxy is on loopback: attribution.trustedProxies must hold 127.0.0.1/32 to
name its customers. Runs until a signal.

--otlp URL             where its SDKs send traces, OTLP/gRPC (default http://127.0.0.1:4317)
--attack-after SECONDS then come the demo's attacks and oddities once, each told with who did it (default: never)
--rate N               requests a second (default ${DEFAULT_RATE})
--clients N            customers (default ${DEFAULT_CLIENTS})
--seed N               another population and another order of events (default 1)
--export-delay MS      how long the SDKs gather spans (default 5000, the SDKs' own)

exit codes: 0 stopped by a signal · 1 a process of the shop could not start or ended · 2 wrong command line
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      otlp: { type: 'string', default: 'http://127.0.0.1:4317' },
      'attack-after': { type: 'string' },
      rate: { type: 'string' },
      clients: { type: 'string' },
      seed: { type: 'string' },
      'export-delay': { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`shop takes no '${positionals[0]}'`);
    if (!/^https?:$/.test(URL.parse(values.otlp)?.protocol ?? ''))
      throw new UsageError(`--otlp takes a URL like http://127.0.0.1:4317, not '${values.otlp}'`);
    const attackAfter = values['attack-after'];
    return open({
      otlpEndpoint: values.otlp,
      attackAfterMs:
        attackAfter === undefined ? undefined : 1_000 * wholeNumber('attack-after', attackAfter, 0, 0, 86_400),
      rate: wholeNumber('rate', values.rate, DEFAULT_RATE, 1, 10_000),
      clients: wholeNumber('clients', values.clients, DEFAULT_CLIENTS, 10, 100_000),
      seed: wholeNumber('seed', values.seed, 1, 0, 2 ** 31 - 1),
      exportDelayMs: wholeNumber('export-delay', values['export-delay'], 5_000, 100, 60_000),
    });
  },
};

const MOST_NAMED = 5;

/** Whom an alert about it should name, and from where it came. */
function whoOf({ named, clients }: TruthEvent): string {
  const from = clients.slice(0, MOST_NAMED).join(', ') || 'everybody';
  const more = clients.length > MOST_NAMED ? ` and ${clients.length - MOST_NAMED} more` : '';
  const subject = named.by === 'user' || named.by === 'network' ? `${named.by} ${named.key}, from ` : '';
  return `${subject}${from}${more}`;
}

interface ShopSettings {
  readonly otlpEndpoint: string;
  readonly attackAfterMs: number | undefined;
  readonly rate: number;
  readonly clients: number;
  readonly seed: number;
  readonly exportDelayMs: number;
}

/** Until a signal, or until a part of it ends by itself. */
async function open(settings: ShopSettings): Promise<number> {
  const logger = createLogger({ name: 'shop', level: 'warn' });
  const narrator = createNarrator(Date.now, (text) => process.stdout.write(text));
  const closing = new AbortController();
  const stops: (() => Promise<void>)[] = [];
  const stopAll = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  const drain = drainOnSignal({
    deadlineMs: STOP_DEADLINE_MS,
    async stop() {
      narrator.say('stopping');
      closing.abort();
      await stopAll();
    },
  });
  try {
    return await Promise.race([drain.drained, trade(settings, logger, narrator, closing.signal, stops)]);
  } catch (error) {
    if (closing.signal.aborted) return drain.drained;
    throw error;
  } finally {
    drain.release();
    await stopAll();
  }
}

async function trade(
  settings: ShopSettings,
  logger: ReturnType<typeof createLogger>,
  narrator: Narrator,
  signal: AbortSignal,
  stops: (() => Promise<void>)[],
): Promise<never> {
  const { otlpEndpoint, attackAfterMs, rate, clients, seed, exportDelayMs } = settings;
  const running = await startShop({ otlpEndpoint, exportDelayMs, logger });
  stops.push(() => running.stop());
  signal.throwIfAborted();
  const load = await startLoad({ edgePort: running.ports.edge!, seed, rate, clients, logger });
  stops.push(() => load.stop());
  signal.throwIfAborted();
  narrator.say(`open: ${rate} requests a second from ${clients} clients, traces to ${otlpEndpoint}`);
  if (attackAfterMs !== undefined) {
    await Promise.race([delay(attackAfterMs, undefined, { signal }), running.failed]);
    await Promise.race([
      runScenarios({
        shop: running,
        load,
        seed,
        signal,
        onProgress({ scenario, state, number, total, event }) {
          if (event === undefined || state !== 'done') return;
          narrator.say(
            `${String(number).padStart(2)}/${total}  ${scenario.kind}: ${scenario.title} (by ${whoOf(event)})`,
          );
        },
      }),
      running.failed,
    ]);
    narrator.say('attacks are over; trade goes on');
  }
  return running.failed;
}
