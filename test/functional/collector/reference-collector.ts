/**
 * A real OpenTelemetry Collector between OTLP and Kafka. REFERENCE_COLLECTOR names the directory that holds its binary
 * `otelcol` (in it, or in its `bin`), built with the OTLP receiver, the Kafka exporter, and the batch and groupbytrace
 * processors.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHeld } from '../../kafka/held-process.ts';
import { freePorts } from '../../kafka/ports.ts';

const directory = process.env.REFERENCE_COLLECTOR;

/** Path of the binary; undefined where there is none. */
export const referenceCollector: string | undefined =
  directory === undefined
    ? undefined
    : ['bin/otelcol', 'otelcol'].map((name) => join(directory, name)).find((path) => existsSync(path));

export interface ReferenceOptions {
  readonly brokers: readonly string[];
  /** Settings of the exporter `kafka`, beside its brokers. */
  readonly exporter: object;
  /** By name, in the order of the pipeline. */
  readonly processors?: Readonly<Record<string, object>>;
}

export interface ReferenceCollector {
  /** `http://127.0.0.1:PORT/v1/traces` */
  readonly url: string;
  /** OTLP/gRPC: `127.0.0.1:PORT` */
  readonly target: string;
  stop(): Promise<void>;
}

const READY_MS = 60_000;
const STOP_MS = 10_000;

/** Starts it; resolves when it takes requests. What it acknowledges is in Kafka, unless a processor holds it back. */
export async function startReferenceCollector(options: ReferenceOptions): Promise<ReferenceCollector> {
  if (referenceCollector === undefined) throw new Error('REFERENCE_COLLECTOR names no directory with otelcol');
  const { brokers, exporter, processors = {} } = options;
  const [grpcPort, httpPort] = await freePorts(2);
  const endpoint = (port: number | undefined): object => ({ endpoint: `127.0.0.1:${port}` });
  const config = {
    receivers: { otlp: { protocols: { grpc: endpoint(grpcPort), http: endpoint(httpPort) } } },
    processors,
    exporters: { kafka: { brokers, sending_queue: { enabled: false }, ...exporter } },
    service: {
      telemetry: { logs: { level: 'info' }, metrics: { level: 'none' } },
      pipelines: { traces: { receivers: ['otlp'], processors: Object.keys(processors), exporters: ['kafka'] } },
    },
  };
  const home = await mkdtemp(join(tmpdir(), 'spanwarden-otelcol-'));
  const file = join(home, 'config.yaml');
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  const held = await startHeld({
    what: 'the OpenTelemetry Collector',
    command: referenceCollector,
    args: ['--config', file],
    removeAlso: home,
  });
  async function stop(): Promise<void> {
    held.signal('SIGTERM'); // what it holds goes out
    const late = setTimeout(() => held.signal('SIGKILL'), STOP_MS);
    await held.exited;
    clearTimeout(late);
    await rm(home, { recursive: true, force: true });
  }
  try {
    await held.says('Everything is ready', READY_MS);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url: `http://127.0.0.1:${httpPort}/v1/traces`, target: `127.0.0.1:${grpcPort}`, stop };
}
