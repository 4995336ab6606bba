/** Spans as they arrive, and promises for those that are still to come. */

export interface SeenSpan {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly flags: number;
  readonly start: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly arrayValue?: { readonly values: readonly Value[] };
}

interface Attribute {
  readonly key: string;
  readonly value: Value;
}

interface ResourceSpans {
  readonly resource: { readonly attributes: readonly Attribute[] };
  readonly scopeSpans: readonly {
    readonly spans: readonly (Omit<SeenSpan, 'service' | 'attributes' | 'start'> & {
      readonly startTimeUnixNano: string;
      readonly attributes: readonly Attribute[];
    })[];
  }[];
}

export interface SpanBook {
  readonly spans: readonly SeenSpan[];
  add(traces: { readonly resourceSpans: readonly unknown[] }): void;
  /** Resolves with a trace's spans once at least `count` have come. */
  trace(traceId: string, count: number): Promise<readonly SeenSpan[]>;
  /** Resolves with the first span that fits. */
  find(fits: (span: SeenSpan) => boolean): Promise<SeenSpan>;
}

const textOf = ({ stringValue, intValue, arrayValue }: Value): unknown =>
  stringValue ?? intValue ?? arrayValue?.values.map(textOf);

export function createSpanBook(): SpanBook {
  const spans: SeenSpan[] = [];
  const waiting = new Set<() => void>();
  const until = <T>(look: () => T | undefined): Promise<T> =>
    new Promise((resolve) => {
      const check = (): void => {
        const found = look();
        if (found === undefined) return;
        waiting.delete(check);
        resolve(found);
      };
      waiting.add(check);
      check();
    });
  return {
    spans,
    add({ resourceSpans }) {
      for (const { resource, scopeSpans } of resourceSpans as readonly ResourceSpans[]) {
        const service = resource.attributes.find(({ key }) => key === 'service.name')?.value.stringValue ?? '';
        for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
          spans.push({
            ...span,
            service,
            start: BigInt(span.startTimeUnixNano),
            parentSpanId: span.parentSpanId ?? '',
            attributes: Object.fromEntries(span.attributes.map(({ key, value }) => [key, textOf(value)])),
          });
        }
      }
      for (const check of [...waiting]) check();
    },
    trace: (traceId, count) =>
      until(() => {
        const found = spans.filter((span) => span.traceId === traceId);
        return found.length >= count ? found : undefined;
      }),
    find: (fits) => until(() => spans.find(fits)),
  };
}
