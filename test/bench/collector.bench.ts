/** The collector as users run it: a process, fed over OTLP/gRPC by clients in another one. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Bench, type BenchResult, MIN_SAMPLES, type Spread, spread } from './bench.ts';
import { createGrpcSender, type GrpcSender } from './grpc-sender.ts';
import type { LoadRequest } from './load.ts';
import { shapes, spanBytesOf } from './otlp.bench.ts';

interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Acknowledged; −1 when the child does not count. */
  readonly spans: number;
}

interface Target {
  readonly child: ChildProcess;
  readonly sender: GrpcSender;
  /** Settles when the child has exited. */
  readonly ended: Promise<unknown>;
  usage(): Promise<Usage>;
}

async function startTarget(file: string, args: string[] = []): Promise<Target> {
  const child = fork(join(import.meta.dirname, file), args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return {
    child,
    sender: createGrpcSender(port),
    ended: once(child, 'exit'),
    async usage() {
      const answer = once(child, 'message') as Promise<[Usage]>;
      child.send('usage');
      return (await answer)[0];
    },
  };
}

/** CPU rates of the targets, interleaved, and the most memory the first one had. */
async function measureAll(
  targets: readonly Target[],
  loads: readonly LoadRequest[],
): Promise<{ spreads: Spread[]; rssBytes: number }> {
  const bodies = loads.map((load) => Buffer.from(load.bytes));
  const rounds = Math.ceil(80_000 / loads.reduce((sum, load) => sum + load.spans, 0));
  const count = rounds * loads.length;
  const spans = rounds * loads.reduce((sum, load) => sum + load.spans, 0);
  const rates: number[][] = targets.map(() => []);
  let rssBytes = 0;
  try {
    for (let round = -3; round < MIN_SAMPLES; round++)
      for (let i = 0; i < targets.length; i++) {
        const target = targets[i]!;
        const before = await target.usage();
        await target.sender.send(bodies, count);
        const after = await target.usage();
        if (after.spans >= 0 && after.spans - before.spans !== spans)
          throw new Error(`${spans} spans were sent, ${after.spans - before.spans} acknowledged`);
        if (round >= 0) rates[i]!.push(spans / (after.cpuSeconds - before.cpuSeconds));
        if (i === 0) rssBytes = Math.max(rssBytes, after.rssBytes);
      }
  } finally {
    for (const target of targets) {
      target.sender.close();
      target.child.disconnect();
    }
  }
  return { spreads: rates.map(spread), rssBytes };
}

async function measure(shape: string, loads: readonly LoadRequest[]): Promise<BenchResult> {
  const targets = await Promise.all([startTarget('collector-child.ts'), startTarget('grpc-child.ts')]);
  const { spreads, rssBytes } = await measureAll(targets, loads);
  return {
    name: 'collector, OTLP/gRPC to a counting log',
    shape,
    unit: 'spans/CPU-s',
    ...spreads[0]!,
    target: shape === 'SDK' ? 75_000 : 150_000,
    ratio: spreads[0]!.value / spreads[1]!.value,
    reference: 'a grpc-js server that throws the bytes away',
    spanBytes: spanBytesOf(loads),
    attributes: 12,
    note: `CPU of the collector's process, ${Math.round(rssBytes / 2 ** 20)} MiB resident`,
  };
}

/** The same with the embedded log: each request is on disk before it is acknowledged. */
async function measureDurable(shape: string, loads: readonly LoadRequest[]): Promise<BenchResult> {
  const directory = mkdtempSync(join(tmpdir(), 'spanwarden-bench-'));
  try {
    const targets = await Promise.all([
      startTarget('collector-child.ts', [directory]),
      startTarget('collector-child.ts'),
    ]);
    const { spreads, rssBytes } = await measureAll(targets, loads);
    await Promise.all(targets.map((target) => target.ended));
    return {
      name: 'collector, OTLP/gRPC to the embedded log',
      shape,
      unit: 'spans/CPU-s',
      ...spreads[0]!,
      ratio: spreads[0]!.value / spreads[1]!.value,
      reference: 'the same to a counting log',
      spanBytes: spanBytesOf(loads),
      attributes: 12,
      note: `CPU of the collector's process and its log thread, ${Math.round(rssBytes / 2 ** 20)} MiB resident`,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const benches: readonly Bench[] = [
  {
    name: 'collector',
    question: 'what does the collector take over OTLP/gRPC, per second of its own CPU?',
    async run() {
      const results: BenchResult[] = [];
      for (const { shape, loads } of shapes()) results.push(await measure(shape, loads));
      return results;
    },
  },
  {
    name: 'collector-durable',
    question: 'and when every request is durable in the embedded log before it is acknowledged?',
    async run() {
      const results: BenchResult[] = [];
      for (const { shape, loads } of shapes()) results.push(await measureDurable(shape, loads));
      return results;
    },
  },
];
