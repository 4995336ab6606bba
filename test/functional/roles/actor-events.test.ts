/** Events for actors over real crashes: a detector that is killed while it reads says every request once, all the same. */
import { afterEach, describe, expect, it } from 'vitest';
import { createLogReader } from '../../../runtime/log/create.ts';
import { logSection } from '../../../schemas/config/log.ts';
import type { ActorEvent } from '../../../schemas/log/actor-event.ts';
import { decodeActorEvents } from '../../../schemas/log/actor-events-codec.ts';
import { searchTrace, traceIdOf } from '../../unit/detector/traffic.ts';
import { EPOCH_MS } from '../../unit/traces/otlp.ts';
import { noClickHouse, removeDirectory, temporaryDirectory } from '../clickhouse/server.ts';
import { createClickHouse, post, type Running, settingsOf, start, until } from './running.ts';

const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

describe.skipIf(noClickHouse)('events for actors', () => {
  it('are said once for every request, though the detector is killed while it reads', async () => {
    const directory = temporaryDirectory();
    cleanups.push(() => removeDirectory(directory));
    const clickhouse = await createClickHouse(directory);
    cleanups.push(() => clickhouse.kill());
    const server = await clickhouse.start();
    cleanups.push(() => server.stop());
    const settings = settingsOf(directory, { clickhouse: clickhouse.settings });
    let running: Running | undefined;
    cleanups.push(async () => {
      running?.child.kill('SIGKILL');
      await running?.ended;
    });
    const reader = createLogReader({ log: logSection.parse(settings.log) });

    async function said(): Promise<ActorEvent[]> {
      const events: ActorEvent[] = [];
      const { latest } = await reader.offsets('actor-events');
      for (let next = 0; next < latest[0]!; ) {
        const records = await reader.read('actor-events', 0, next, 1_000);
        for (const { value } of records) events.push(...decodeActorEvents(value)!);
        next = records.at(-1)!.offset + 1;
      }
      return events;
    }

    let sent = 0;
    async function send(count: number): Promise<void> {
      const spans = Array.from({ length: count }, () =>
        searchTrace(++sent, Date.now() - EPOCH_MS - 60, `198.51.100.${sent % 40}`),
      ).flat();
      expect(await post(running!.otlp, spans)).toBe(200);
    }

    for (const kill of [true, false]) {
      running = await start(directory, settings, ['collector', 'detector']);
      if (sent === 0) {
        await reader.start();
        cleanups.push(() => reader.stop(1_000));
      }
      const before = sent;
      await send(150);
      await until('some of them', async () => (await said()).length > before);
      await send(150);
      if (kill) {
        running.child.kill('SIGKILL');
        await running.ended;
      }
    }
    await until('all of them', async () => new Set((await said()).map(({ id }) => id)).size === sent);
    running!.child.kill('SIGTERM');
    expect(await running!.ended).toBe(0);

    const events = await said();
    expect(events.every(({ part, client }) => part === 'request' && client.address?.startsWith('198.51.100.'))).toBe(
      true,
    );
    expect(events.map(({ client }) => client.entryTraceId).sort()).toEqual(
      Array.from({ length: sent }, (_, i) => traceIdOf(i + 1)).sort(),
    );
  });
});
