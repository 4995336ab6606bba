/** One embedded ClickHouse with the schema for a test file; skipped with one loud line where it is not installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ClickHouse, connectClickHouse } from '../../../runtime/clickhouse/client.ts';
import { findEmbeddedLibrary } from '../../../runtime/clickhouse/embedded.ts';
import { applySchema } from '../../../runtime/clickhouse/schema.ts';
import { createStore, type Store } from '../../../runtime/clickhouse/store.ts';
import { clickhouseSection } from '../../../schemas/config/clickhouse.ts';
import { redactionSection } from '../../../schemas/config/redaction.ts';
import { createRedactor } from '../../../traces/redaction/redactor.ts';
import { redactVerdict } from '../../../traces/redaction/verdict.ts';

const required = (process.env.REQUIRE ?? '').split(',').includes('clickhouse');
const library = findEmbeddedLibrary();

/** For `describe.skipIf`; with REQUIRE=clickhouse a missing library is a failure instead. */
export const noClickHouse = 'missing' in library && !required;
if (noClickHouse && 'missing' in library)
  console.warn(
    `\n!!! SKIPPED: tests on a real ClickHouse: ${library.missing} (REQUIRE=clickhouse makes this a failure)\n`,
  );

export const temporaryDirectory = (): string => mkdtempSync(join(tmpdir(), 'spanwarden-test-'));
export const removeDirectory = (directory: string): void => rmSync(directory, { recursive: true, force: true });

export interface TestServer {
  readonly clickhouse: ClickHouse;
  readonly directory: string;
  readonly store: Store;
  rows<T = Record<string, unknown>>(query: string): Promise<T[]>;
  stop(): Promise<void>;
}

export const storeOf = (clickhouse: ClickHouse): Store => {
  const redactor = createRedactor(redactionSection.parse({}));
  return createStore(clickhouse, {
    redactor,
    redactVerdict: (verdict) => redactVerdict(redactor, verdict),
    now: () => Date.now(),
  });
};

export async function startTestServer(settings: Record<string, unknown> = {}): Promise<TestServer> {
  const directory = temporaryDirectory();
  try {
    const clickhouse = await connectClickHouse(clickhouseSection.parse({ embedded: { directory }, ...settings }));
    await applySchema(clickhouse);
    return {
      clickhouse,
      directory,
      store: storeOf(clickhouse),
      async rows<T>(query: string): Promise<T[]> {
        const result = await clickhouse.client.query({ query, format: 'JSONEachRow' });
        return result.json<T>();
      },
      async stop() {
        await clickhouse.stop();
        removeDirectory(directory);
      },
    };
  } catch (error) {
    removeDirectory(directory);
    throw error;
  }
}
