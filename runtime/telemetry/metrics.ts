/**
 * Metrics: counters, gauges and histograms over OpenTelemetry's metrics SDK, read out in Prometheus text form.
 * Counters are plain numbers that the SDK observes when somebody scrapes, so that `add` costs an addition, not a hash
 * of attributes. Names: base units, `_total` on counters; `spanwarden_` is put in front. No addresses, users or trace
 * ids as labels.
 */
import type { Observable, ObservableResult } from '@opentelemetry/api';
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { AggregationTemporality, InstrumentType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';

export type Labels = Readonly<Record<string, string | number>>;

export interface BoundCounter {
  add(n: number): void;
}

export interface Counter {
  /** Adds `n` ≥ 0. With labels: a string is built to find the series; take `with(labels)` on hot paths. */
  add(n: number, labels?: Labels): void;
  /** The series of these labels, for repeated use. */
  with(labels: Labels): BoundCounter;
  /** Present value: of the series with exactly these labels, or the sum of all. */
  value(labels?: Labels): number;
}

export interface HistogramMetric {
  add(value: number, labels?: Labels): void;
}

/** What a gauge shows: one number, or one a label set. */
export type Observation = number | Iterable<readonly [value: number, labels: Labels]>;

export interface Metrics {
  /** Same name, same counter: several parts may add to one. */
  counter(name: string, help: string): Counter;
  /** A counter that is kept elsewhere: numbers that only grow, observed at each scrape. Several observers are shown together. */
  observedCounter(name: string, help: string, observe: () => Observation): () => void;
  /** Observed at each scrape, synchronously. Several observers of one name are shown together. Returns how to end it. */
  gauge(name: string, help: string, observe: () => Observation): () => void;
  /** Distribution with bucket bounds `bounds` (in the metric's base unit: seconds, bytes). */
  histogram(name: string, help: string, bounds?: readonly number[]): HistogramMetric;
  /** Prometheus text exposition. */
  text(): Promise<string>;
  stop(): Promise<void>;
}

/** Seconds from 1 ms to 60 s. */
export const SECONDS_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;

const PREFIX = 'spanwarden_';
const NO_LABELS: Labels = {};

interface Series {
  readonly labels: Labels;
  value: number;
}

/** Reads only when asked; the SDK's Prometheus exporter would open a server of its own. */
class ScrapeReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

const seriesKey = (labels: Labels): string => {
  const names = Object.keys(labels).sort();
  let key = '';
  for (const name of names) key += `${name}\u0000${labels[name]}\u0000`;
  return key;
};

function createSeriesCounter(): Counter & { series: Map<string, Series> } {
  const series = new Map<string, Series>();
  let plain: Series | undefined;
  const seriesOf = (labels: Labels): Series => {
    const key = seriesKey(labels);
    let found = series.get(key);
    if (!found) {
      found = { labels: { ...labels }, value: 0 };
      series.set(key, found);
    }
    return found;
  };
  return {
    series,
    add(n, labels) {
      if (labels) seriesOf(labels).value += n;
      else {
        plain ??= seriesOf(NO_LABELS);
        plain.value += n;
      }
    },
    with(labels) {
      const bound = seriesOf(labels);
      return {
        add(n) {
          bound.value += n;
        },
      };
    },
    value(labels) {
      if (labels) return series.get(seriesKey(labels))?.value ?? 0;
      let sum = 0;
      for (const one of series.values()) sum += one.value;
      return sum;
    },
  };
}

function showAll(observers: ReadonlySet<() => Observation>, result: ObservableResult): void {
  for (const observe of observers) {
    const seen = observe();
    if (typeof seen === 'number') result.observe(seen);
    else for (const [value, labels] of seen) result.observe(value, labels);
  }
}

export function createMetrics(): Metrics {
  const reader = new ScrapeReader({
    // with cumulative gauges the SDK goes on showing series nobody observes any more: lag of a partition given away
    aggregationTemporalitySelector: (type) =>
      type === InstrumentType.OBSERVABLE_GAUGE ? AggregationTemporality.DELTA : AggregationTemporality.CUMULATIVE,
  });
  const provider = new MeterProvider({ readers: [reader] });
  const meter = provider.getMeter('spanwarden');
  const serializer = new PrometheusSerializer('', false, undefined, true, true);
  const counters = new Map<string, Counter>();
  const observers = new Map<string, Set<() => Observation>>();
  const histograms = new Map<string, HistogramMetric>();
  const fullName = (name: string): string => (name.startsWith(PREFIX) ? name : PREFIX + name);
  let stopped: Promise<void> | undefined;

  function addObserver(name: string, observe: () => Observation, create: (full: string) => Observable): () => void {
    const full = fullName(name);
    const own = observers.get(full) ?? new Set<() => Observation>();
    if (!observers.has(full)) {
      observers.set(full, own);
      create(full).addCallback((result) => showAll(own, result));
    }
    own.add(observe);
    return () => {
      own.delete(observe);
    };
  }

  return {
    counter(name, help) {
      const full = fullName(name);
      const known = counters.get(full);
      if (known) return known;
      const counter = createSeriesCounter();
      meter.createObservableCounter(full, { description: help }).addCallback((result) => {
        for (const one of counter.series.values()) result.observe(one.value, one.labels);
      });
      counters.set(full, counter);
      return counter;
    },
    observedCounter: (name, help, observe) =>
      addObserver(name, observe, (full) => meter.createObservableCounter(full, { description: help })),
    gauge: (name, help, observe) =>
      addObserver(name, observe, (full) => meter.createObservableGauge(full, { description: help })),
    histogram(name, help, bounds = SECONDS_BOUNDS) {
      const full = fullName(name);
      const known = histograms.get(full);
      if (known) return known;
      const inner = meter.createHistogram(full, {
        description: help,
        advice: { explicitBucketBoundaries: [...bounds] },
      });
      const histogram: HistogramMetric = {
        add(value, labels) {
          inner.record(value, labels);
        },
      };
      histograms.set(full, histogram);
      return histogram;
    },
    async text() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
    stop() {
      stopped ??= provider.shutdown();
      return stopped;
    },
  };
}
