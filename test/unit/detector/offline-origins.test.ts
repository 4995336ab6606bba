/** Origins in offline scoring, over spans recorded from kafkajs: the file has the worker's before those of the request. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toVerdict } from '../../../detector/core/attributed.ts';
import { createOfflineOrigins } from '../../../detector/offline-origins.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { configSchema } from '../../../schemas/config/index.ts';
import { type Verdict, VerdictStage } from '../../../schemas/log/verdict.ts';
import { createTraceCutter } from '../../../schemas/otlp/cut.ts';
import { jsonToTracesData } from '../../../schemas/otlp/json.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { createReadingKit } from '../../../traces/kit.ts';

const ATTACKER = '46.12.63.220';
const WAIT_MS = 20_000;
const assembly = assemblySection.parse({});
const lines = (name: string): string[] =>
  readFileSync(new URL(`./recorded/${name}.jsonl`, import.meta.url), 'utf8')
    .trim()
    .split('\n');

/** The asynchronous verdicts as they settle; `everyMs` between two lines of the file. */
function settle(exports: readonly string[], everyMs = 100): Verdict[] {
  const kit = createReadingKit(configSchema.parse({ attribution: { trustedProxies: ['127.0.0.1/32'] } }));
  const cutter = createTraceCutter({ maxRecordBytes: 1e6, maxOutputBytes: 1e8 }, 1);
  const settled: Verdict[] = [];
  const origins = createOfflineOrigins(WAIT_MS, (verdict) => settled.push(verdict));
  const assembler = createAssembler(assembly, {
    sink: {
      closed: () => undefined,
      withdrawn: () => undefined,
      reused: () => undefined,
      forgotten: (_partition, traceId, entrySpanId) => origins.forgotten(traceId, entrySpanId),
      settled(spans) {
        kit.reader.read(spans, kit.segment);
        const asks = kit.segment.producers.length > 0;
        const verdict = toVerdict(spans, kit.segment, null, '', VerdictStage.absenceJudged, asks ? 'pending' : 'none');
        if (asks) origins.ask(kit.segment, verdict);
        else origins.remember(kit.segment, [verdict.client]);
      },
    },
  });
  let nowMs = 1_000_000;
  let offset = 0;
  for (const line of exports) {
    nowMs += everyMs;
    cutter.cut(jsonToTracesData(line).bytes, (_traceId, value) => assembler.add(0, offset++, nowMs, value));
    assembler.advance(0, nowMs);
    origins.advance(nowMs);
  }
  assembler.end();
  origins.end();
  return settled;
}

const addresses = (verdicts: readonly Verdict[]): (string | null)[] =>
  verdicts.map(({ client }) => client.address).sort();

describe('origins of a recorded file', () => {
  it.each(['kafkajs-each-message', 'kafkajs-each-batch'])('are known whichever side comes first: %s', (name) => {
    const exports = lines(name);
    const forward = settle(exports);
    expect(forward).toHaveLength(2);
    expect(forward.map(({ originState }) => originState)).toEqual(['known', 'known']);
    expect(addresses(forward)).toContain(ATTACKER);
    expect(addresses(settle([...exports].reverse()))).toEqual(addresses(forward));
  });

  it('are unknown where the request is not in the file, and settled once', () => {
    const requests = /"gateway"|"auth"/;
    const worker = lines('kafkajs-each-batch').filter((line) => !requests.test(line));
    expect(worker.length).toBeGreaterThan(0);
    const settled = settle(worker);
    expect(settled.map(({ originState, client }) => [originState, client.address])).toEqual([
      ['unknown', null],
      ['unknown', null],
    ]);
  });

  it('are waited for no longer than the segment can change', () => {
    const exports = lines('kafkajs-each-batch');
    const settled = settle(exports, 2 * WAIT_MS); // every service a long time after the one before
    expect(new Set(settled.map(({ id }) => id)).size).toBe(settled.length);
  });
});
