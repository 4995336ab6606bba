/** The broker's jars: fetched once with Maven into the user's cache folder, however many test processes ask at a time. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { isAlive } from './held-process.ts';

export const KAFKA_VERSION = process.env.KAFKA_VERSION ?? '4.3.1';
const ABOUT_MB = 45;

const cacheRoot = (): string => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'spanwarden');

/** Where the jars of this version are, or will be. */
export const jarDirectory = (): string => join(cacheRoot(), `kafka-${KAFKA_VERSION}`);

/** Whether a broker can be started without Maven. */
export const jarsFetched = (): boolean => existsSync(jarDirectory());

const EXCLUSION =
  '<exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions>';

/** 4.4.0 names a `kafka-tools-api` that was never published; the broker does not need it. */
const pom = (): string => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version>
      ${KAFKA_VERSION === '4.4.0' ? EXCLUSION : ''}
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
`;

function runMaven(directory: string, jars: string): Promise<void> {
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
  const child = spawn('mvn', ['-q', '-B', '-f', join(directory, 'pom.xml'), ...goal], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  const keep = (chunk: Buffer): void => {
    said = (said + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`cannot run Maven (mvn): ${error.message}`)));
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Maven could not fetch Kafka ${KAFKA_VERSION} (exit code ${code}):\n${said.trim()}`));
    });
  });
}

/** Takes the lock, or waits until its holder is done or dead. */
async function takeTurn(lock: string): Promise<void> {
  for (;;) {
    try {
      return await writeFile(lock, String(process.pid), { flag: 'wx' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (holder > 0 && !isAlive(holder)) {
      // the rename decides which of several waiters takes away what a killed process left
      const aside = `${lock}.${process.pid}`;
      await rename(lock, aside).then(
        () => rm(aside, { force: true }),
        () => undefined,
      );
    } else await wait(250);
  }
}

/** Directory with all jars of the broker; fetches them when they are not there yet. */
export async function fetchJars(): Promise<string> {
  const directory = jarDirectory();
  if (jarsFetched()) return directory;
  await mkdir(cacheRoot(), { recursive: true });
  const lock = `${directory}.lock`;
  await takeTurn(lock);
  try {
    if (jarsFetched()) return directory;
    console.error(`fetching the Kafka ${KAFKA_VERSION} broker with Maven, once: about ${ABOUT_MB} MB to ${directory}`);
    const partial = await mkdtemp(`${directory}.partial-`);
    try {
      await writeFile(join(partial, 'pom.xml'), pom());
      const jars = join(partial, 'jars');
      await runMaven(partial, jars);
      await rename(jars, directory); // all of them or none
    } finally {
      await rm(partial, { recursive: true, force: true });
    }
    return directory;
  } finally {
    await rm(lock, { force: true });
  }
}
