/**
 * What a check costs a request that passes a gateway: with a thousand decisions in force, over loopback and kept-alive connections.
 * Client and server share this process, so its figures are an upper bound for the server's part.
 */
import { Agent, request } from 'node:http';
import { createCheck } from '../../responder/decisions/checks.ts';
import { createGatewayAttribution } from '../../responder/decisions/gateway.ts';
import { createServed } from '../../responder/decisions/served.ts';
import { attributionSection } from '../../schemas/config/attribution.ts';
import { KEY, startServing } from '../functional/decisions/serving.ts';
import { decisionOf } from '../unit/decisions/decided.ts';
import { type Bench, type BenchResult, spread } from './bench.ts';

const DECISIONS = 1_000;
const RANGES = 100;
const CONNECTIONS = 8;
const SAMPLES = 15;
const REQUESTS = 2_000;
const TARGET_P99_MS = 5;

const decisions = () =>
  Array.from({ length: DECISIONS }, (_, i) =>
    decisionOf({
      number: i + 1,
      scope: i < RANGES ? 'range' : 'ip',
      value: i < RANGES ? `198.18.${i}.0/24` : `198.19.${i >> 8}.${i & 255}`,
      target: i % 3 === 0 ? 'operations' : 'everything',
      operations: i % 3 === 0 ? ['POST /checkout', 'GET /orders/{id}', '* /admin/**'] : [],
      createdMs: Date.now(),
      expiresMs: Date.now() + 3_600_000,
    }),
  );
/** One in ten is decided about; the others are strangers, all different. */
const addressOf = (i: number): string =>
  i % 10 === 0 ? `198.19.${(i >> 8) & 3}.${i & 255}` : `203.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`;

async function overHttp(): Promise<BenchResult[]> {
  const serving = await startServing();
  serving.served.put(decisions());
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  let made = 0;
  const ask = (): Promise<number> =>
    new Promise((resolve, reject) => {
      const startMs = performance.now();
      const headers = { 'x-api-key': KEY, 'x-forwarded-for': `10.9.8.7, ${addressOf(made++)}`, host: 'shop.example' };
      request(
        { agent, port: serving.port, host: '127.0.0.1', path: `/check/orders/${made}?page=2`, headers },
        (answer) => {
          answer.resume().on('end', () => resolve(performance.now() - startMs));
        },
      )
        .on('error', reject)
        .end();
    });
  const sample = async (): Promise<number[]> => {
    const took: number[] = [];
    const worker = async (): Promise<void> => {
      while (took.length < REQUESTS) took.push(await ask());
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    return took.sort((a, b) => a - b);
  };
  for (let i = 0; i < 3; i++) await sample();
  const p50: number[] = [];
  const p99: number[] = [];
  const perSecond: number[] = [];
  for (let i = 0; i < SAMPLES; i++) {
    const before = process.cpuUsage();
    const took = await sample();
    const cpu = process.cpuUsage(before);
    p50.push(took[Math.floor(took.length / 2)]!);
    p99.push(took[Math.floor(took.length * 0.99)]!);
    perSecond.push(took.length / ((cpu.user + cpu.system) / 1e6));
  }
  agent.destroy();
  await serving.stop();
  const shape = `${DECISIONS} decisions, ${CONNECTIONS} connections`;
  return [
    { name: 'check over HTTP, p50', shape, unit: 'ms', ...spread(p50) },
    { name: 'check over HTTP, p99', shape, unit: 'ms', target: TARGET_P99_MS, ...spread(p99) },
    { name: 'checks, client and server', shape, unit: 'requests/CPU-s', ...spread(perSecond) },
  ];
}

function decided(): BenchResult[] {
  const served = createServed(Date.now);
  served.put(decisions());
  const check = createCheck(served, createGatewayAttribution(attributionSection.parse({})));
  let made = 0;
  const sample = (): number => {
    const startMs = performance.now();
    for (let i = 0; i < 20_000; i++)
      check({
        method: 'GET',
        path: '/orders/17?page=2',
        service: '',
        peer: '127.0.0.1',
        forwardedFor: [`10.9.8.7, ${addressOf(made++)}`],
        forwarded: [],
        singleValues: [],
        user: '',
      });
    return ((performance.now() - startMs) * 1_000) / 20_000;
  };
  for (let i = 0; i < 3; i++) sample();
  const shape = `${DECISIONS} decisions, every address new`;
  return [{ name: 'deciding alone', shape, unit: 'µs', ...spread(Array.from({ length: SAMPLES }, sample)) }];
}

export const benches: readonly Bench[] = [
  {
    name: 'response',
    question: 'how long does a gateway wait for a check?',
    run: async () => [...decided(), ...(await overHttp())],
  },
];
