/** Metrics: what is added is what Prometheus reads. */
import { expect, test } from 'vitest';
import { createMetrics } from '../../../runtime/telemetry/metrics.ts';

test('a counter shows its sum under its prefixed name, with help and type', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter('spans_received_total', 'Spans received');
  counter.add(2);
  counter.add(3);
  const text = await metrics.text();
  expect(text).toContain('# HELP spanwarden_spans_received_total Spans received');
  expect(text).toContain('# TYPE spanwarden_spans_received_total counter');
  expect(text).toMatch(/^spanwarden_spans_received_total 5$/m);
});

test('labels make series; a bound series and a labelled add are the same one', async () => {
  const metrics = createMetrics();
  const counter = metrics.counter('spanwarden_dropped_total', 'Dropped');
  const bound = counter.with({ reason: 'late', role: 'detector' });
  bound.add(4);
  counter.add(1, { role: 'detector', reason: 'late' });
  counter.add(7, { reason: 'size', role: 'collector' });
  expect(counter.value({ reason: 'late', role: 'detector' })).toBe(5);
  expect(counter.value()).toBe(12);
  expect(await metrics.text()).toMatch(/^spanwarden_dropped_total\{reason="late",role="detector"\} 5$/m);
});

test('two parts that ask for one name add to one counter', () => {
  const metrics = createMetrics();
  metrics.counter('x_total', 'x').add(1);
  metrics.counter('x_total', 'x').add(1);
  expect(metrics.counter('x_total', 'x').value()).toBe(2);
});

test('gauges are observed at each scrape, until ended', async () => {
  const metrics = createMetrics();
  let lag = 5;
  const end = metrics.gauge('lag_records', 'Lag', () => [[lag, { partition: 0 }]]);
  metrics.gauge('open_segments', 'Open', () => 9);
  expect(await metrics.text()).toMatch(/^spanwarden_lag_records\{partition="0"\} 5$/m);
  lag = 6;
  const text = await metrics.text();
  expect(text).toMatch(/^spanwarden_lag_records\{partition="0"\} 6$/m);
  expect(text).toMatch(/^spanwarden_open_segments 9$/m);
  end();
  expect(await metrics.text()).not.toMatch(/^spanwarden_lag_records/m);
});

test('histograms give cumulative buckets, count and sum', async () => {
  const metrics = createMetrics();
  const histogram = metrics.histogram('commit_seconds', 'Commit', [0.1, 1]);
  for (const value of [0.05, 0.5, 5]) histogram.add(value);
  const text = await metrics.text();
  expect(text).toMatch(/^spanwarden_commit_seconds_bucket\{le="0.1"\} 1$/m);
  expect(text).toMatch(/^spanwarden_commit_seconds_bucket\{le="1"\} 2$/m);
  expect(text).toMatch(/^spanwarden_commit_seconds_bucket\{le="\+Inf"\} 3$/m);
  expect(text).toMatch(/^spanwarden_commit_seconds_sum 5.55$/m);
});
