/** A real Kafka broker for tests and developers: one KRaft node, or several, as Java processes on loopback. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Certificates, createCertificates } from './certificates.ts';
import { type HeldProcess, isAlive, startHeld } from './held-process.ts';
import { fetchJars } from './jars.ts';
import { freePorts, isFree } from './ports.ts';
import { HOST, type NodePorts, type Properties, type Security, scramArguments, serverProperties } from './settings.ts';

export interface BrokerOptions {
  /** Keeps its data there, and finds it there at the next start. Default: a temporary one, removed by `stop`. */
  readonly directory?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Further lines of server.properties; they win over ours. */
  readonly properties?: Properties;
  /** Default: plain text, no authentication. */
  readonly security?: Security;
  readonly heapMb?: number;
  /** Instead of JVM_FLAGS. */
  readonly jvmFlags?: readonly string[];
}

export interface Broker {
  /** `127.0.0.1:PORT`: what KAFKA_BROKERS takes. */
  readonly address: string;
  readonly port: number;
  readonly nodeId: number;
  readonly directory: string;
  /** Of Java, while it runs. */
  readonly pid: number;
  /** With TLS: what clients need. */
  readonly certificates?: Certificates;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** Kills it when it runs; starts it on the same port and data; resolves when it is ready. */
  restart(): Promise<void>;
  /** SIGSTOP: connections are accepted by the system, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it, in order where the directory is the caller's, and removes a temporary directory. */
  stop(): Promise<void>;
  /** The last lines of its log. */
  lastLines(): string[];
}

export interface Cluster {
  /** Of all nodes. */
  readonly addresses: readonly string[];
  readonly brokers: readonly Broker[];
  /** With TLS: what clients need. */
  readonly certificates?: Certificates;
  stop(): Promise<void>;
}

/** Small, and quick to start: no second compiler. */
const JVM_FLAGS = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
const HEAP_MB = 256;
const READY_MS = 120_000;
const STOP_MS = 15_000;
/** Any will do; the same every time makes a second format of the same directory harmless. */
const CLUSTER_ID = 'MkU3OEVBNTcwNTJENDM2Qk';
const PORT_TRIES = 5;
const LOG_FLAGS = [
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS',
];

/** Starts one broker; resolves when it takes records. Rejects with the last lines of its log. */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const { brokers } = await startNodes(1, options);
  return brokers[0]!;
}

/** Starts nodes that are broker and controller each: every topic in three copies, two of them in sync for `acks=all`. */
export function startCluster(nodes = 3, options: Omit<BrokerOptions, 'port'> = {}): Promise<Cluster> {
  return startNodes(nodes, options);
}

async function startNodes(count: number, options: BrokerOptions): Promise<Cluster> {
  if (options.port !== undefined && !(await isFree(options.port)))
    throw new Error(`port ${options.port} on ${HOST} is taken`);
  const jars = await fetchJars();
  const temporary = options.directory === undefined;
  const root = resolve(options.directory ?? (await temporaryDirectory()));
  await mkdir(root, { recursive: true });
  const certificates = options.security?.tls === true ? await certificatesIn(root, temporary) : undefined;
  for (let attempt = 1; ; attempt++) {
    const nodes = await choosePorts(count, options.port);
    const brokers = nodes.map((node) => {
      const directory = count === 1 ? root : join(root, `node-${node.id}`);
      return createNode({ node, nodes, directory, removeAlso: temporary ? root : '', jars, certificates, options });
    });
    try {
      await Promise.all(brokers.map((broker) => broker.restart()));
      const stop = async (): Promise<void> => {
        await Promise.all(brokers.map((broker) => broker.stop()));
        if (temporary) await rm(root, { recursive: true, force: true });
      };
      return {
        addresses: brokers.map((broker) => broker.address),
        brokers,
        ...(certificates && { certificates }),
        stop,
      };
    } catch (error) {
      await Promise.all(brokers.map((broker) => broker.kill()));
      // somebody took a port between our look and Kafka's bind
      const taken = error instanceof Error && error.message.includes('Address already in use');
      if (taken && attempt < PORT_TRIES && options.port === undefined) continue;
      if (temporary) await rm(root, { recursive: true, force: true });
      throw error;
    }
  }
}

async function certificatesIn(root: string, temporary: boolean): Promise<Certificates> {
  try {
    return await createCertificates(root);
  } catch (error) {
    if (temporary) await rm(root, { recursive: true, force: true });
    throw error;
  }
}

/** Named after us, so that what a killed process left is known by its name and goes at the next start. */
async function temporaryDirectory(): Promise<string> {
  for (const name of await readdir(tmpdir())) {
    const owner = /^spanwarden-kafka-(\d+)-/.exec(name)?.[1];
    if (owner === undefined || isAlive(Number(owner))) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true }).catch(() => {}); // its holder may be at it
  }
  return mkdtemp(join(tmpdir(), `spanwarden-kafka-${process.pid}-`));
}

async function choosePorts(count: number, first: number | undefined): Promise<NodePorts[]> {
  const ports = await freePorts(count * 3);
  return Array.from({ length: count }, (_, i) => ({
    id: i + 1,
    port: i === 0 && first !== undefined ? first : ports[3 * i]!,
    controllerPort: ports[3 * i + 1]!,
    innerPort: ports[3 * i + 2]!,
  }));
}

interface NodeOptions {
  readonly node: NodePorts;
  readonly nodes: readonly NodePorts[];
  readonly directory: string;
  /** The temporary directory that goes with it, or ''. */
  readonly removeAlso: string;
  readonly jars: string;
  readonly certificates: Certificates | undefined;
  readonly options: BrokerOptions;
}

function createNode({ node, nodes, directory, removeAlso, jars, certificates, options }: NodeOptions): Broker {
  const { security = {}, properties = {}, heapMb = HEAP_MB, jvmFlags = JVM_FLAGS } = options;
  const dataDirectory = join(directory, 'data');
  const settingsFile = join(directory, 'server.properties');
  const java = ['-Djava.awt.headless=true', '-Djava.net.preferIPv4Stack=true', ...LOG_FLAGS, '-cp', `${jars}/*`];
  const heap = [`-Xms${Math.min(heapMb, 128)}m`, `-Xmx${heapMb}m`, '-XX:+ExitOnOutOfMemoryError'];
  let running: HeldProcess | undefined;

  async function format(): Promise<void> {
    if (existsSync(join(dataDirectory, 'meta.properties'))) return;
    const command = ['kafka.tools.StorageTool', 'format', '--cluster-id', CLUSTER_ID, '--config', settingsFile];
    await runJava(['-XX:TieredStopAtLevel=1', ...java, ...command, '--ignore-formatted', ...scramArguments(security)]);
  }

  async function start(): Promise<void> {
    await mkdir(directory, { recursive: true });
    const text = serverProperties({ node, nodes, dataDirectory, security, certificates, properties });
    await writeFile(settingsFile, text, { mode: 0o600 });
    await format();
    const args = [...heap, ...jvmFlags, ...java, 'kafka.Kafka', settingsFile];
    running = await startHeld({ what: 'the Kafka broker', command: 'java', args, removeAlso });
    await running.says('Kafka Server started', READY_MS);
  }

  async function kill(): Promise<void> {
    running?.signal('SIGKILL');
    await running?.exited;
  }

  return {
    address: `${HOST}:${node.port}`,
    port: node.port,
    nodeId: node.id,
    directory,
    get pid() {
      if (running === undefined || !running.running) throw new Error('the broker does not run');
      return running.pid;
    },
    ...(certificates && { certificates }),
    kill,
    async restart() {
      await kill();
      await start();
    },
    pause: () => running?.signal('SIGSTOP'),
    resume: () => running?.signal('SIGCONT'),
    async stop() {
      if (removeAlso === '' && running !== undefined) {
        running.signal('SIGCONT');
        running.signal('SIGTERM');
        await Promise.race([running.exited, wait(STOP_MS, undefined, { ref: false })]);
      }
      await kill();
      if (removeAlso !== '') await rm(directory, { recursive: true, force: true });
    },
    lastLines: () => running?.lastLines() ?? [],
  };
}

/** Runs a tool of Kafka's to its end. */
async function runJava(args: readonly string[]): Promise<void> {
  try {
    await promisify(execFile)('java', [...args], { maxBuffer: 16 * 1_048_576 });
  } catch (error) {
    const {
      code,
      message,
      stdout = '',
      stderr = '',
    } = error as NodeJS.ErrnoException & Record<'stdout' | 'stderr', string | undefined>;
    if (code === 'ENOENT') throw new Error('a Kafka broker needs Java, which is not installed');
    const said = `${stdout}${stderr}`.trim().split('\n').slice(-40).join('\n');
    throw new Error(`java failed: ${said || message}`);
  }
}
