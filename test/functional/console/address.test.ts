/** A console bound to every address writes one down by which it is reached, and answers there. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createConsole } from '../../../console/service.ts';
import type { ConsoleStore } from '../../../console/store.ts';
import { readAccess } from '../../../console/token.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { consoleSection } from '../../../schemas/config/console.ts';
import { removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';

const TOKEN = 'a-token-for-this-test';

it.each(['0.0.0.0', '127.0.0.1', '127.0.0.2'])('bound to %s', async (host) => {
  const directory = temporaryDirectory();
  const service = createConsole(
    consoleSection.parse({ host, port: 0, token: TOKEN, directory: join(directory, 'console') }),
    {
      store: { edits: async () => [] } as Partial<ConsoleStore> as ConsoleStore,
      log: { produce: () => Promise.reject(new Error('nothing is said here')) },
      logger: createLogger({ name: 'test', level: 'silent' }),
      metrics: createMetrics(),
      now: () => 0,
      newId: () => '',
    },
  );
  try {
    await service.start();
    const { url } = (await readAccess(join(directory, 'console')))!;
    expect(url).not.toContain('0.0.0.0');
    const answer = await fetch(`${url}/api/v1/edits`, { headers: { authorization: `Bearer ${TOKEN}` } });
    expect([answer.status, await answer.json()]).toEqual([200, { edits: [] }]);
  } finally {
    await service.stop(1_000);
    removeDirectory(directory);
  }
});
