/** `spanwarden demo`: the whole product on this machine, with a real shop, real attacks and the table of what was found. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, ExitCode, parse, UsageError, wholeNumber } from './command.ts';
import { type DemoKafka, runDemo } from './demo/run.ts';

export const demo: Command = {
  summary: 'run the whole product on this machine: a shop, attacks, and what was found',
  help: `
usage: spanwarden demo [--once] [--seed N] [--report FILE] [--data DIR] [--export-delay MS] [--verbose]
                       [--kafka HOST:PORT[,…]] [--kafka-consumer each-message|each-batch] [--kill-detector]
                       [--grpc-port N] [--http-port N] [--clickhouse-port N] [--metrics-port N]

Starts an embedded ClickHouse, an embedded log, all roles and an instrumented shop of ten processes; learns from live
traffic, then attacks the shop under continuing traffic, and shows which attacks were detected, who was named, how far they
got, and what was alerted falsely. Takes about four minutes on two cores.

--once               exit when the table is there: 0 if every attack was detected, rightly attributed and told as one
                     incident with its stages in order, and nothing benign alerted, else 3; without it everything
                     stays up, with addresses and queries to try
--seed N             another population and another order of events (default 1)
--report FILE        the result as JSON
--data DIR           where data is kept (default: a temporary directory, removed at exit)
--export-delay MS    how long the shop's SDKs gather spans (default 500; the SDKs' own default is 5000): evidence from
                     absence then waits longer, and so do its alerts
--kafka HOST:PORT    a Kafka cluster in place of the embedded log: each role is a process of its own, two detectors share
                     the partitions, and the shop's worker gets its jobs over Kafka; topics are removed at the end
--kafka-consumer C   how that worker reads them with kafkajs: each-message (default) or each-batch
--kill-detector      with --kafka: kill one of the detectors (SIGKILL) half-way through the attacks
--…-port N           a port of your choice instead of a free one
--verbose            the roles' own log lines too
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      once: { type: 'boolean' },
      seed: { type: 'string' },
      report: { type: 'string' },
      data: { type: 'string' },
      'export-delay': { type: 'string' },
      verbose: { type: 'boolean' },
      kafka: { type: 'string' },
      'kafka-consumer': { type: 'string' },
      'kill-detector': { type: 'boolean' },
      'grpc-port': { type: 'string' },
      'http-port': { type: 'string' },
      'clickhouse-port': { type: 'string' },
      'metrics-port': { type: 'string' },
    });
    if (positionals.length > 0) throw new UsageError(`demo takes no '${positionals[0]}'`);
    const port = (name: 'grpc' | 'http' | 'clickhouse' | 'metrics'): number =>
      wholeNumber(`${name}-port`, values[`${name}-port`], 0, 0, 65_535);
    const kafka = kafkaOf(values.kafka, values['kafka-consumer'], values['kill-detector']);
    if (kafka !== undefined && port('metrics') !== 0)
      throw new UsageError('with --kafka there are five processes with metrics: leave --metrics-port out');
    const directory =
      values.data === undefined ? await mkdtemp(join(tmpdir(), 'spanwarden-demo-')) : resolve(values.data);
    try {
      const { report, passed } = await runDemo({
        once: values.once ?? false,
        seed: wholeNumber('seed', values.seed, 1, 0, 2 ** 31 - 1),
        directory,
        exportDelayMs: wholeNumber('export-delay', values['export-delay'], 500, 100, 60_000),
        verbose: values.verbose ?? false,
        ...(kafka !== undefined && { kafka }),
        ports: { grpc: port('grpc'), http: port('http'), clickhouse: port('clickhouse'), metrics: port('metrics') },
        onReport: async (made) => {
          if (values.report !== undefined) await writeFile(values.report, `${JSON.stringify(made, null, 2)}\n`);
        },
      });
      return report === null ? ExitCode.failed : passed ? ExitCode.ok : ExitCode.demoFailed;
    } finally {
      if (values.data === undefined) await rm(directory, { recursive: true, force: true });
    }
  },
};

function kafkaOf(
  brokers: string | undefined,
  consumer: string | undefined,
  killDetector: boolean | undefined,
): DemoKafka | undefined {
  if (brokers === undefined) {
    if (consumer !== undefined || killDetector) throw new UsageError('name the Kafka brokers with --kafka HOST:PORT');
    return undefined;
  }
  const named = brokers.split(',').map((broker) => broker.trim());
  for (const broker of named)
    if (!/^[^\s:]+:\d+$|^\[[0-9a-fA-F:]+\]:\d+$/.test(broker))
      throw new UsageError(`--kafka takes HOST:PORT, not '${broker}'`);
  if (consumer !== undefined && consumer !== 'each-message' && consumer !== 'each-batch')
    throw new UsageError(`--kafka-consumer is each-message or each-batch, not '${consumer}'`);
  return {
    brokers: named,
    consumer: consumer === 'each-batch' ? 'eachBatch' : 'eachMessage',
    killDetector: killDetector ?? false,
  };
}
