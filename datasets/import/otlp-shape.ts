/** OTLP/JSON objects as the importers make them; their texts, ids and times come from files of other formats. */

export interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

export type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly bytesValue: string }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } };

export interface OtlpEvent {
  readonly timeUnixNano?: string;
  readonly name: string;
  readonly attributes: readonly KeyValue[];
  readonly droppedAttributesCount?: number;
}

export interface OtlpLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceState?: string;
  readonly attributes: readonly KeyValue[];
}

export interface OtlpSpan {
  readonly traceId: string;
  spanId: string;
  parentSpanId?: string;
  readonly traceState?: string;
  readonly name: string;
  /** 0…5, opentelemetry-proto's SpanKind; 0 = unknown. */
  readonly kind: number;
  /** Absent = unknown, not 1970. */
  readonly startTimeUnixNano?: string;
  readonly endTimeUnixNano?: string;
  readonly attributes: readonly KeyValue[];
  readonly events: readonly OtlpEvent[];
  readonly links: readonly OtlpLink[];
  readonly status: { readonly code?: number; readonly message?: string };
}

export interface Scope {
  readonly name: string;
  readonly version: string;
}

/** A span with what OTLP keeps around it, and what tells the two sides of a call apart. */
export interface ImportedSpan {
  readonly span: OtlpSpan;
  readonly resource: readonly KeyValue[];
  readonly scope: Scope;
  /** Where it was reported: service and address. Two spans of one id and place are one span. */
  readonly place: string;
}

export const Kind = { unknown: 0, internal: 1, server: 2, client: 3, producer: 4, consumer: 5 } as const;
export const Status = { ok: 1, error: 2 } as const;

export const text = (value: string): AnyValue => ({ stringValue: value });

/** The attributes of a map; a key occurs once. */
export const toKeyValues = (values: ReadonlyMap<string, AnyValue>): KeyValue[] =>
  Array.from(values, ([key, value]) => ({ key, value }));

const said = ({ name, version }: Scope): { readonly scope?: Partial<Scope> } =>
  name === '' && version === '' ? {} : { scope: { ...(name !== '' && { name }), ...(version !== '' && { version }) } };

/** TracesData of spans, grouped by resource and scope in the order of their first span. */
export function toTracesData(spans: readonly ImportedSpan[]): { readonly resourceSpans: readonly object[] } {
  interface Group {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: { readonly scope?: Partial<Scope>; readonly spans: OtlpSpan[] }[];
  }
  const groups = new Map<string, Group>();
  const scopes = new Map<string, OtlpSpan[]>();
  for (const { span, resource, scope } of spans) {
    const resourceKey = JSON.stringify(resource);
    let group = groups.get(resourceKey);
    if (group === undefined) {
      group = { resource: { attributes: resource }, scopeSpans: [] };
      groups.set(resourceKey, group);
    }
    const scopeKey = JSON.stringify([resourceKey, scope.name, scope.version]);
    let list = scopes.get(scopeKey);
    if (list === undefined) {
      list = [];
      scopes.set(scopeKey, list);
      group.scopeSpans.push({ ...said(scope), spans: list });
    }
    list.push(span);
  }
  return { resourceSpans: [...groups.values()] };
}
