/** What assembly and reading count is what an operator sees at /metrics. */
import { expect, test } from 'vitest';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';
import { observeAssembly, observeReading } from '../../../runtime/telemetry/observed.ts';
import { assemblySection } from '../../../schemas/config/assembly.ts';
import { createAssembler } from '../../../traces/assembly/assembler.ts';
import { EPOCH_MS, id, tracesData } from '../traces/otlp.ts';

const SINK = { closed() {}, withdrawn() {}, settled() {}, reused() {}, forgotten() {} };

test('every counter of an assembler is a series; what it holds is a gauge', async () => {
  const metrics = createMetrics();
  const assembler = observeAssembly(metrics, 'detector', createAssembler(assemblySection.parse({}), { sink: SINK }));
  const record = tracesData([{ spanId: id(1), kind: 'server', end: 0 }]);
  assembler.add(0, 0, EPOCH_MS, record);
  assembler.add(0, 1, EPOCH_MS, record);
  assembler.add(0, 2, EPOCH_MS, Uint8Array.of(10, 200, 1, 1));
  const text = await metrics.text();
  expect(text).toMatch(/^# TYPE spanwarden_assembly_total counter$/m);
  expect(text).toMatch(/^spanwarden_assembly_total\{role="detector",event="duplicate_spans"\} 1$/m);
  expect(text).toMatch(/^spanwarden_assembly_total\{role="detector",event="malformed_records"\} 1$/m);
  expect(text).toMatch(/^spanwarden_assembly_held\{role="detector",what="segments"\} 1$/m);
  for (const field of Object.keys(assembler.stats))
    expect(text).toContain(`event="${field.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)}"`);
});

test('several readers are shown together, each at its present value', async () => {
  const metrics = createMetrics();
  const stats = { clampedTimes: 0 };
  observeReading(metrics, 'detector', stats);
  observeReading(metrics, 'trainer', { clampedTimes: 7 });
  stats.clampedTimes = 3;
  const text = await metrics.text();
  expect(text).toMatch(/^spanwarden_reading_total\{role="detector",event="clamped_times"\} 3$/m);
  expect(text).toMatch(/^spanwarden_reading_total\{role="trainer",event="clamped_times"\} 7$/m);
});
