/**
 * Which Kafka the tests use: the one that KAFKA_BROKERS names; else one that they start, with Java and Maven; else none,
 * and they are skipped with one loud line. REQUIRE=kafka makes that a failure.
 */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { jarsFetched } from './jars.ts';

const named = process.env.KAFKA_BROKERS ?? '';
const required = (process.env.REQUIRE ?? '').split(',').includes('kafka');
/** Kafka 4 needs Java 17. */
const JAVA = 17;

/** Why no broker can be started here; undefined when one can. */
function findProblem(): string | undefined {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8' });
  if (java.error !== undefined || java.status !== 0) return 'Java is not installed';
  const version = /version "(\d+)/.exec(java.stderr)?.[1];
  if (version === undefined || Number(version) < JAVA) return `Java ${JAVA} or newer is needed, this is ${version}`;
  if (jarsFetched()) return undefined;
  const maven = spawnSync('mvn', ['--version']);
  return maven.error !== undefined || maven.status !== 0 ? 'Maven is not installed' : undefined;
}

const problem = findProblem();

/** For `describe.skipIf` where a test needs a broker of its own, to kill it or to configure it. */
export const noOwnBroker = problem !== undefined && !required;
/** For `describe.skipIf` where any broker will do. */
export const noKafka = noOwnBroker && named === '';

if (noOwnBroker) {
  const which = named === '' ? 'tests on a real Kafka' : 'tests that stop, kill or configure a Kafka broker';
  const hint = named === '' ? ' or name a broker with KAFKA_BROKERS' : '';
  console.warn(
    `\n!!! SKIPPED: ${which}: ${problem}; install Java ${JAVA} and Maven${hint} (REQUIRE=kafka makes this a failure)\n`,
  );
}

/**
 * Addresses of the plain broker that all test files of this run share: host:port. It is started by the first that asks,
 * and ends with the run (shared-broker.ts). Take a prefix of your own for topics and groups.
 */
export async function brokerForTests(): Promise<string[]> {
  if (named !== '') return named.split(',').map((one) => one.trim());
  const response = await fetch(inject('sharedBrokerUrl'));
  const text = await response.text();
  if (!response.ok) throw new Error(text);
  return [text];
}

/** A prefix that no other test uses, for `kafka.topicPrefix`. */
export const freshPrefix = (): string => `test-${randomBytes(6).toString('hex')}-`;
