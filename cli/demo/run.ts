/** The course of a demo: start, learn, attack, judge; then stay or go. */
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { ReceivedAlert } from '../../datasets/judge/alert.ts';
import { type DemoReport, isRight, judge } from '../../datasets/judge/judge.ts';
import { type Receiver, startReceiver } from '../../datasets/judge/receiver.ts';
import { judgeResponse } from '../../datasets/judge/response.ts';
import { tableOf } from '../../datasets/judge/table.ts';
import { type Load, startLoad } from '../../datasets/load/generator.ts';
import { runScenarios } from '../../datasets/scenarios/run.ts';
import { attacksOf, type GroundTruth } from '../../datasets/scenarios/truth.ts';
import { type Shop, startShop } from '../../datasets/shop/supervisor.ts';
import { processEnvironment } from '../../runtime/config/environment.ts';
import { loadConfig } from '../../runtime/config/load.ts';
import { SpanwardenError } from '../../runtime/errors.ts';
import { createLogger } from '../../runtime/telemetry/logger.ts';
import { VERSION_EFFECT_MS } from '../../schemas/log/version.ts';
import { ALL_ROLES, type RunningRoles, startRoles } from '../roles.ts';
import { addressesText, urlOf } from './addresses.ts';
import { demoTopics } from './kafka-topics.ts';
import { createNarrator, type Narrator } from './progress.ts';
import { type RoleProcesses, startRoleProcesses } from './role-processes.ts';
import { demoOverrides, newSecret } from './settings.ts';

export interface DemoKafka {
  readonly brokers: readonly string[];
  /** How the shop's worker reads its jobs. */
  readonly consumer: 'eachMessage' | 'eachBatch';
  /** One of the two detectors is killed half-way through the scenarios. */
  readonly killDetector: boolean;
}

export interface DemoOptions {
  readonly once: boolean;
  readonly seed: number;
  readonly directory: string;
  readonly exportDelayMs: number;
  readonly verbose: boolean;
  readonly kafka?: DemoKafka;
  readonly ports: {
    readonly grpc: number;
    readonly http: number;
    readonly clickhouse: number;
    readonly metrics: number;
  };
  onReport(report: DemoReport): Promise<void>;
}

export interface DemoResult {
  readonly report: DemoReport | null;
  readonly passed: boolean;
}

/** Learning that takes longer than this has failed. */
const LEARN_AT_MOST_MS = 190_000;
const TELL_EVERY_MS = 10_000;
const POLL_MS = 500;
/** What is still on its way after the last scenario, beside spans: grace, the window of a slow node. */
const SETTLE_MS = 6_000;

/** The wait for spans of others: above the export delay, with time for a process that is kept waiting; 3 s with the demo's own delay. */
const spanWaitFor = (exportDelayMs: number): number => 2_000 + 2 * exportDelayMs;

interface Parts {
  roles?: RunningRoles;
  shop?: Shop;
  load?: Load;
  receiver?: Receiver;
  removeTopics?: () => Promise<void>;
}

export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const narrator = createNarrator(Date.now, (text) => process.stdout.write(text));
  const interrupted = new AbortController();
  let signals = 0;
  const onSignal = (): void => {
    if (++signals > 1) process.exit(ExitNow);
    narrator.say('stopping');
    interrupted.abort();
  };
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  const parts: Parts = {};
  try {
    return await course(options, narrator, interrupted.signal, parts);
  } catch (error) {
    if (interrupted.signal.aborted) return { report: null, passed: false };
    throw error;
  } finally {
    await stopAll(parts);
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

const ExitNow = 130;

async function course(
  options: DemoOptions,
  narrator: Narrator,
  signal: AbortSignal,
  parts: Parts,
): Promise<DemoResult> {
  const logger = createLogger({ name: 'demo', level: options.verbose ? 'info' : 'error' });
  const secret = newSecret();
  parts.receiver = await startReceiver({
    secret,
    nowMs: Date.now,
    onAlert: ({ type, incident }) => narrator.say(`ALERT  ${alertLine(type, incident)}`),
  });
  const { kafka } = options;
  const prefix = `spanwarden-demo-${randomUUID().slice(0, 8)}-`;
  narrator.say(
    kafka === undefined
      ? 'starting an embedded ClickHouse, the log and all roles'
      : `starting an embedded ClickHouse and five processes of roles on Kafka at ${kafka.brokers.join(', ')}`,
  );
  const config = loadConfig({
    env: withoutOurs(processEnvironment()),
    overrides: demoOverrides({
      directory: options.directory,
      receiverUrl: parts.receiver.url,
      secret,
      trustedProxies: ['127.0.0.1/32', '::1/128'],
      ports: options.ports,
      absenceGraceMs: spanWaitFor(options.exportDelayMs),
      originWaitMs: spanWaitFor(options.exportDelayMs),
      kafka: kafka && { brokers: kafka.brokers, prefix },
      logLevel: options.verbose ? 'info' : 'error',
    }),
  });
  let processes: RoleProcesses | undefined;
  if (kafka !== undefined) {
    const topics = demoTopics(kafka.brokers, prefix);
    await topics.check();
    parts.removeTopics = topics.remove;
  }
  if (kafka === undefined) parts.roles = await startRoles(config, ALL_ROLES, { logger });
  else parts.roles = processes = await startRoleProcesses(config, { directory: options.directory, logger });
  signal.throwIfAborted();
  const { collector, clickhouse } = parts.roles.addresses;
  narrator.say(
    `ClickHouse ${clickhouse?.url}, OTLP ${urlOf(collector!.grpc)} (gRPC) and ${urlOf(collector!.http)} (HTTP)`,
  );
  narrator.say('starting the shop: ten processes, eight of them instrumented services');
  parts.shop = await startShop({
    otlpEndpoint: urlOf(collector!.grpc),
    exportDelayMs: options.exportDelayMs,
    logger,
    ...(kafka !== undefined && {
      kafka: { brokers: kafka.brokers, consumer: kafka.consumer, prefix: `${prefix}shop` },
    }),
  });
  signal.throwIfAborted();
  parts.load = await startLoad({ edgePort: parts.shop.ports.edge!, seed: options.seed, logger });
  narrator.say(
    `traffic: ${parts.load.rate} requests a second from ${parts.load.personas.length} clients; learning what is normal`,
  );

  await Promise.race([learn(parts.roles, narrator, signal), parts.shop.failed, parts.roles.failed]);
  narrator.say('attacks begin, under continuing traffic');
  const truth = await Promise.race([
    runScenarios({
      shop: parts.shop,
      load: parts.load,
      seed: options.seed,
      signal,
      onProgress: ({ scenario, state, number, total }) => {
        if (state === 'done') return;
        if (kafka?.killDetector && number === Math.ceil(total / 2))
          narrator.say(`killed with SIGKILL: ${processes!.killOne('detector')}`);
        narrator.say(`${String(number).padStart(2)}/${total}  ${scenario.kind}: ${scenario.title}`);
      },
    }),
    parts.shop.failed,
    parts.roles.failed,
  ]);
  narrator.say('waiting for what is still on its way');
  await settle(truth, parts.receiver, SETTLE_MS + 2 * spanWaitFor(options.exportDelayMs), signal);

  const judgement = judge(truth, parts.receiver.alerts);
  const response = judgeResponse(truth, await parts.roles.decisions(Date.now()));
  const { traces, spans } = await parts.roles.counts();
  const passed = judgement.passed && response.wrong === 0;
  const report: DemoReport = { ...judgement, passed, response, seed: options.seed, traces, spans };
  await options.onReport(report);
  narrator.show(
    `\n${tableOf(report)}\n${traces.toLocaleString('en')} traces, ${spans.toLocaleString('en')} spans in ClickHouse\n`,
  );
  if (!options.once) {
    narrator.show(addressesText(parts.roles.addresses, config.clickhouse.database));
    await untilAborted(signal, [parts.shop.failed, parts.roles.failed]);
  }
  return { report, passed };
}

function alertLine(type: string, { title, client, clients, stages, risk }: ReceivedAlert['incident']): string {
  const told = type === 'incident.opened' ? '' : `${type.replace('incident.', '')}: `;
  const others = clients.length > 1 ? ` and ${clients.length - 1} more` : '';
  const reached = stages.length === 0 ? '' : `, ${stages.at(-1)}, risk ${Math.round(risk)}`;
  return `${told}${title} (client ${client ?? 'unknown'}${others}${reached})`;
}

/** Resolves when a version that can raise alerts is in effect; rejects naming what is still learning. */
async function learn(roles: RunningRoles, narrator: Narrator, signal: AbortSignal): Promise<void> {
  const startMs = Date.now();
  let toldMs = startMs;
  for (;;) {
    await delay(POLL_MS, undefined, { signal });
    const { trainer, detector } = await roles.status();
    if (trainer?.alerting === true && detector?.version === trainer.version) {
      narrator.say(`learned from ${trainer.progress.segments.toLocaleString('en')} requests; alerts can start`);
      return delay(VERSION_EFFECT_MS, undefined, { signal });
    }
    const missing = trainer === undefined ? 'the trainer has not started' : trainer.learning.join('; ');
    if (Date.now() - startMs > LEARN_AT_MOST_MS) {
      throw new SpanwardenError('STOPPED', `still learning after ${LEARN_AT_MOST_MS / 1000} s: ${missing}`);
    }
    if (Date.now() - toldMs >= TELL_EVERY_MS) {
      toldMs = Date.now();
      narrator.say(missing === '' ? 'compiling and calibrating the first baseline' : `learning: ${missing}`);
    }
  }
}

async function settle(truth: GroundTruth, receiver: Receiver, atMostMs: number, signal: AbortSignal): Promise<void> {
  const endMs = Date.now() + atMostMs;
  const complete = (): boolean => {
    const { attacks } = judge(truth, receiver.alerts);
    return attacks.every(isRight) && Date.now() > endMs - atMostMs / 2;
  };
  while (attacksOf(truth).length > 0 && Date.now() < endMs && !complete()) await delay(POLL_MS, undefined, { signal });
}

async function untilAborted(signal: AbortSignal, failures: readonly Promise<never>[]): Promise<void> {
  const aborted = new Promise<void>((done) => {
    if (signal.aborted) done();
    signal.addEventListener('abort', () => done(), { once: true });
  });
  await Promise.race([aborted, ...failures]);
}

async function stopAll({ load, shop, roles, receiver, removeTopics }: Parts): Promise<void> {
  await load?.stop();
  await shop?.stop();
  await roles?.stop(5_000);
  await removeTopics?.().catch(() => {}); // the broker may be gone
  await receiver?.stop();
}

/** A demo is the same on every machine: settings of the environment are for the real thing. */
const withoutOurs = (env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> =>
  Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !name.startsWith('SPANWARDEN_') && name !== 'CLICKHOUSE_URL' && name !== 'KAFKA_BROKERS',
    ),
  );
