/** Arbitrary requests for properties: several traces, resources and scopes, now and then a bad span. */
import fc from 'fast-check';
import type { ProtoSpan, ProtoTracesData } from './proto.ts';

const TRACES = [1, 2, 3, 4, 5].map((n) => new Uint8Array(16).fill(n));

const attributes = fc.array(
  fc.record({ key: fc.string({ minLength: 1 }), value: fc.record({ stringValue: fc.string() }) }),
  {
    maxLength: 3,
  },
);

/** Span ids are numbered by `number` so that every span of a request is told apart. */
const spanOf = (bad: boolean) =>
  fc
    .record({
      traceId: bad
        ? fc.constantFrom(...TRACES, new Uint8Array(16), new Uint8Array(7).fill(1), new Uint8Array(0))
        : fc.constantFrom(...TRACES),
      name: fc.string({ maxLength: 300 }),
      attributes,
      kind: fc.nat({ max: 5 }),
    })
    .map((span): ProtoSpan => span);

export const tracesData = (options: { bad: boolean }): fc.Arbitrary<ProtoTracesData> =>
  fc
    .array(
      fc.record({
        resource: fc.record({ attributes }),
        scopeSpans: fc.array(
          fc.record({
            scope: fc.record({ name: fc.string(), version: fc.string() }),
            spans: fc.array(spanOf(options.bad), { maxLength: 8 }),
            schemaUrl: fc.string(),
          }),
          { maxLength: 3 },
        ),
        schemaUrl: fc.string(),
      }),
      { maxLength: 3 },
    )
    .map((resourceSpans) => {
      let number = 0;
      for (const resource of resourceSpans)
        for (const scope of resource.scopeSpans)
          for (const span of scope.spans) {
            const id = Buffer.alloc(8);
            id.writeUInt32BE(++number, 4);
            span.spanId = new Uint8Array(id);
          }
      return { resourceSpans };
    });

/** Each span with its resource and scope, as text: what has to be the same before and after. */
export function flatten(data: ProtoTracesData): string[] {
  const out: string[] = [];
  for (const resource of data.resourceSpans ?? [])
    for (const scope of resource.scopeSpans ?? [])
      for (const span of scope.spans ?? [])
        out.push(
          JSON.stringify(
            [
              resource.resource?.attributes ?? [],
              resource.schemaUrl ?? '',
              scope.scope?.name ?? '',
              scope.scope?.version ?? '',
              scope.schemaUrl ?? '',
              span,
            ],
            (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value),
          ),
        );
  return out;
}
