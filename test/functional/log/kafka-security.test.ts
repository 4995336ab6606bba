/** TLS and SASL against brokers that demand them: right credentials work, wrong ones are one clear line without secrets. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka,
  logLevel,
  ResourcePatternTypes,
} from 'kafkajs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKafkaLog } from '../../../runtime/log/kafka/log.ts';
import type { Log } from '../../../runtime/log/port.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import type { KafkaConfig } from '../../../schemas/config/kafka.ts';
import { RecordKind } from '../../../schemas/log/topics.ts';
import { type Broker, startBroker } from '../../kafka/broker.ts';
import { freshPrefix, noOwnBroker } from '../../kafka/for-tests.ts';
import { bytes, consume, createRecorder, text, until } from './harness.ts';
import { kafkaConfig, kafkaHarness } from './kafka-harness.ts';

const PASSWORD = 'kept-out-of-every-line';
const USER = { username: 'spanwarden', password: PASSWORD };
const harness = kafkaHarness(kafkaConfig(['unused'], ''));

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly reason?: string;
}

describe.skipIf(noOwnBroker)('a broker that demands', () => {
  let prefix: string;
  let lines: Line[];
  let output: string;
  const logs: Log[] = [];

  beforeEach(() => {
    prefix = freshPrefix();
    lines = [];
    output = '';
  });
  afterEach(async () => {
    await Promise.all(logs.splice(0).map((log) => log.stop(1_000)));
    expect(output).not.toContain(PASSWORD);
  });

  const metrics = createMetrics();
  function create(broker: Broker, settings: { readonly [K in keyof KafkaConfig]?: unknown }): Log {
    const stream = {
      write(line: string) {
        output += line;
        lines.push(JSON.parse(line));
      },
    };
    const log = createKafkaLog(
      { kafka: kafkaConfig([broker.address], prefix, settings), queueBytes: 1_048_576 },
      { logger: createLogger({ name: 'test', level: 'debug' }, { stream }), metrics },
    );
    logs.push(log);
    return log;
  }

  async function works(log: Log): Promise<void> {
    await log.start();
    await log.ensureTopic('spans', { partitions: 2, retentionMs: 3_600_000 });
    const recorder = createRecorder();
    const consumer = await consume(log, 'g', recorder);
    await log.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('v') }]);
    await until(harness, () => recorder.records.length === 1);
    expect(text(recorder.records[0]!.value)).toBe('v');
    expect(await consumer.commit([...recorder.assignments.values()][0]!, 0)).toBe(true);
  }

  /** It is waited for, with one line that says what to do. */
  async function isRefused(log: Log, reason: RegExp): Promise<void> {
    const starting = log.start();
    starting.catch(() => {});
    await until(harness, () => lines.some(({ level }) => level === 'error' || level === 'warn'));
    expect(lines.filter(({ level }) => level === 'error' || level === 'warn')).toHaveLength(1);
    expect(lines.at(-1)!.reason).toMatch(reason);
    await log.stop(500);
    await expect(starting).rejects.toMatchObject({ code: 'STOPPED' });
  }

  describe('SASL', () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await startBroker({
        properties: { 'connections.max.reauth.ms': 1_500 },
        security: {
          sasl: { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], users: { spanwarden: PASSWORD } },
        },
      });
    });
    afterAll(() => broker?.stop());

    test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])('%s: the right password works', async (mechanism) => {
      await works(create(broker, { sasl: { mechanism, ...USER } }));
    });

    test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])(
      '%s: a wrong one, or an unknown user, is said',
      async (mechanism) => {
        const refusal = /refuses user '\w+' with .*kafka\.sasl\.username and kafka\.sasl\.password/;
        await isRefused(create(broker, { sasl: { mechanism, ...USER, password: `${PASSWORD}-not` } }), refusal);
        lines = [];
        await isRefused(create(broker, { sasl: { mechanism, ...USER, username: 'nobody' } }), refusal);
        expect(metrics.counter('log_kafka_errors_total', '').value({ what: 'authentication' })).toBeGreaterThan(0);
      },
    );

    test('a session that must be renewed is, while records flow', async () => {
      const log = create(broker, { sasl: { mechanism: 'SCRAM-SHA-512', ...USER } });
      await works(log);
      const recorder = createRecorder();
      const consumer = await consume(log, 'other', recorder);
      let sent = 1;
      for (const endMs = performance.now() + 5_000; performance.now() < endMs; sent++)
        await log.produce('spans', [{ kind: RecordKind.spans, key: `${sent}`, value: bytes(`${sent}`) }]);
      await until(harness, () => recorder.records.length === sent);
      expect(lines.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([]);
      await consumer.stop(1_000);
    });

    test('without credentials: the line names what may be demanded', async () => {
      await isRefused(create(broker, {}), /closed the connection.*kafka\.sasl\.mechanism/);
    });
  });

  describe('TLS', () => {
    let broker: Broker;
    const files = () => ({ enabled: true, caFile: broker.certificates!.caFile });
    beforeAll(async () => {
      broker = await startBroker({ security: { tls: true } });
    });
    afterAll(() => broker?.stop());

    test('its authority known: works', async () => {
      await works(create(broker, { tls: files() }));
    });

    test('its authority unknown: said with the setting', async () => {
      await isRefused(create(broker, { tls: { enabled: true } }), /not trusted .*kafka\.tls\.caFile/);
    });

    test('a certificate for another name: said with the setting', async () => {
      await isRefused(
        create(broker, { tls: { ...files(), serverName: 'kafka.example' } }),
        /another name.*kafka\.tls\.serverName/,
      );
    });

    test('spoken to without TLS: said with the setting', async () => {
      await isRefused(create(broker, {}), /kafka\.tls\.enabled/);
    });

    test('files that are missing or no PEM are wrong configuration, at once', async () => {
      const missing = create(broker, { tls: { enabled: true, caFile: '/nowhere/ca.pem' } });
      await expect(missing.start()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/kafka\.tls\.caFile.*ENOENT/),
      });
      const file = join(broker.directory, 'no.pem');
      await writeFile(file, 'hello');
      const damaged = create(broker, { tls: { enabled: true, caFile: file } });
      await expect(damaged.start()).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message: expect.stringContaining('no PEM'),
      });
    });
  });

  describe('TLS with client certificates and SCRAM', () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await startBroker({
        security: {
          tls: true,
          clientCertificates: true,
          sasl: { mechanisms: ['SCRAM-SHA-512'], users: { spanwarden: PASSWORD } },
        },
      });
    });
    afterAll(() => broker?.stop());

    const sasl = { mechanism: 'SCRAM-SHA-512', ...USER };
    test('all of it right: works', async () => {
      const { caFile, clientCertFile: certFile, clientKeyFile: keyFile } = broker.certificates!;
      await works(create(broker, { tls: { enabled: true, caFile, certFile, keyFile }, sasl }));
    });

    test('without our certificate: said with the settings', async () => {
      const { caFile } = broker.certificates!;
      await isRefused(create(broker, { tls: { enabled: true, caFile }, sasl }), /kafka\.tls\.certFile/);
    });

    test('with a mechanism that it does not take: said, with those it takes', async () => {
      const { caFile, clientCertFile: certFile, clientKeyFile: keyFile } = broker.certificates!;
      const tls = { enabled: true, caFile, certFile, keyFile };
      await isRefused(
        create(broker, { tls, sasl: { ...sasl, mechanism: 'PLAIN' } }),
        /does not take PLAIN.*SCRAM-SHA-512/,
      );
    });
  });

  test('one with ACLs: each that is missing is one line, and reading begins when they are there', async () => {
    const users = { spanwarden: PASSWORD, admin: PASSWORD };
    const broker = await startBroker({
      properties: {
        'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
        'super.users': 'User:ANONYMOUS;User:admin',
      },
      security: { sasl: { mechanisms: ['PLAIN'], users } },
    });
    try {
      const kafka = new Kafka({
        brokers: [broker.address],
        sasl: { mechanism: 'plain', username: 'admin', password: PASSWORD },
        logLevel: logLevel.NOTHING,
      });
      const admin = kafka.admin();
      await admin.connect();
      const allow = (operation: AclOperationTypes, resourceType: AclResourceTypes, resourceName: string) =>
        admin.createAcls({
          acl: [
            {
              principal: 'User:spanwarden',
              host: '*',
              permissionType: AclPermissionTypes.ALLOW,
              resourcePatternType: ResourcePatternTypes.LITERAL,
              operation,
              resourceType,
              resourceName,
            },
          ],
        });
      const owner = create(broker, { sasl: { mechanism: 'PLAIN', username: 'admin', password: PASSWORD } });
      await owner.start();
      await owner.ensureTopic('spans', { partitions: 1, retentionMs: 3_600_000 });
      await owner.produce('spans', [{ kind: RecordKind.spans, key: 'k', value: bytes('v') }]);
      lines = [];

      const log = create(broker, { sasl: { mechanism: 'PLAIN', ...USER } });
      await log.start();
      const recorder = createRecorder();
      await consume(log, 'g', recorder);
      const told = () => lines.filter(({ level }) => level === 'error' || level === 'warn').map(({ reason }) => reason);
      const counted = metrics.counter('log_kafka_errors_total', '');
      const before = counted.value({ what: 'authorization' });
      const [topic, group] = [`${prefix}spans`, `${prefix}g`];
      const steps = [
        [AclOperationTypes.DESCRIBE, AclResourceTypes.TOPIC, topic, `Describe on topic ${topic}`],
        [AclOperationTypes.READ, AclResourceTypes.GROUP, group, `Read on group ${group}`],
        [AclOperationTypes.READ, AclResourceTypes.TOPIC, topic, `Read on topic ${topic}`],
      ] as const;
      for (const [i, [operation, type, name, what]] of steps.entries()) {
        await until(harness, () => told().length > i);
        expect(told()[i]).toBe(`an ACL has to allow ${what} for spanwarden`);
        await allow(operation, type, name);
      }
      await until(harness, () => recorder.records.length === 1);
      expect(told()).toHaveLength(3);
      expect(counted.value({ what: 'authorization' })).toBeGreaterThanOrEqual(before + 3);
      expect(lines.filter(({ msg }) => msg === 'Kafka lets us read now')).toHaveLength(3);
      await admin.disconnect();
    } finally {
      await Promise.all(logs.splice(0).map((log) => log.stop(1_000)));
      await broker.stop();
    }
  });

  test('a broker that speaks no TLS, spoken to with TLS: said with the setting', async () => {
    const broker = await startBroker();
    try {
      await isRefused(create(broker, { tls: { enabled: true } }), /may not speak TLS.*kafka\.tls\.enabled/);
    } finally {
      await broker.stop();
    }
  });
});
