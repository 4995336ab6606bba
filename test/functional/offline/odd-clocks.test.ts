/** Files whose first spans carry a wrong clock: the time of all other records is theirs, and nothing is lost. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createFileCounts, readTraceRecords, type TraceRecord } from '../../../runtime/files/trace-records.ts';
import { otlpLines } from './otlp-lines.ts';

const directory = mkdtempSync(join(tmpdir(), 'spanwarden-odd-clocks-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const START = 1_750_000_000_000;
const MINUTE = 60_000;

const lineFrom = (traceId: string, ms: number): string =>
  JSON.stringify({
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId,
                spanId: '00000000000000ab',
                name: 'odd',
                startTimeUnixNano: `${ms}000000`,
                endTimeUnixNano: `${ms + 1}000000`,
              },
            ],
          },
        ],
      },
    ],
  });

async function records(lines: readonly string[]): Promise<TraceRecord[]> {
  const file = join(directory, 'input.jsonl');
  writeFileSync(file, lines.join('\n'));
  const all: TraceRecord[] = [];
  for await (const some of readTraceRecords([file], createFileCounts())) all.push(...some);
  return all;
}

const ordinary = otlpLines({ seed: 1, traces: 2_000, startMs: START });
const endMs = START + 2_000 * 100;

test.each([
  ['1970', 1_000],
  ['2100', Date.UTC(2100, 0, 2)],
])('a file that begins with a span of %s has the stream time of all others', async (_, wrongMs) => {
  const plain = await records(ordinary);
  const odd = await records([lineFrom('a'.repeat(32), wrongMs), ...ordinary]);
  expect(odd).toHaveLength(plain.length + 1);
  expect(odd.map(({ offset }) => offset)).toEqual(odd.map((_record, i) => i));
  for (const all of [plain, odd]) {
    expect(all.every(({ streamMs }, i) => i === 0 || streamMs >= all[i - 1]!.streamMs)).toBe(true);
    expect(all[0]!.streamMs).toBeGreaterThan(START - MINUTE);
    expect(all.at(-1)!.streamMs).toBeGreaterThan(endMs - MINUTE);
    expect(all.at(-1)!.streamMs).toBeLessThan(endMs + MINUTE);
  }
});

test('a file of one span, and one of none, end', async () => {
  const [only] = await records([lineFrom('b'.repeat(32), START)]);
  expect(only).toMatchObject({ offset: 0, streamMs: START + 1 });
  expect(await records(['', '{}'])).toEqual([]);
});
