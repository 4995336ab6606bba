/** Events and links in the texts that OpenTelemetry's exporters make of them for Zipkin, which has neither. */
import { type AnyValue, type KeyValue, type OtlpEvent, type OtlpLink, text } from './otlp-shape.ts';
import { hexId, isObject } from './values.ts';
import type { Annotation } from './zipkin-span.ts';

/** The specification's form: `"name": {"key": "value"}`. */
const SPECIFIED = /^"((?:[^"\\]|\\.)*)": (\{.*\})$/s;
/** The Collector's: `name|{"key": "value"}|0`. */
const COLLECTORS = /^([^|]*)\|(\{.*\})\|(\d+)$/s;

export function zipkinEvent({ time, value }: Annotation): OtlpEvent {
  const at = time === undefined ? {} : { timeUnixNano: String(time) };
  const found = SPECIFIED.exec(value) ?? COLLECTORS.exec(value);
  const attributes = found === null ? undefined : attributesOf(found[2]!);
  if (found === null || attributes === undefined) return { ...at, name: value, attributes: [] };
  const dropped = Number(found[3] ?? 0);
  return { ...at, name: found[1]!, attributes, ...(dropped > 0 && { droppedAttributesCount: dropped }) };
}

const MOST_LINKS = 128;

/** Takes `otlp.link.0`, `otlp.link.1`, …: `traceId|spanId|traceState|{attributes}|dropped`, as the Collector writes them. */
export function zipkinLinks(tags: Map<string, string>): OtlpLink[] {
  const links: OtlpLink[] = [];
  for (let i = 0; i < MOST_LINKS; i++) {
    const key = `otlp.link.${i}`;
    const value = tags.get(key);
    if (value === undefined) break;
    const [trace, span, traceState = ''] = value.split('|', 3);
    const traceId = hexId(trace, 32);
    const spanId = hexId(span, 16);
    if (traceId === undefined || spanId === undefined) continue; // no link: it stays a tag
    tags.delete(key);
    const from = value.indexOf('{');
    const attributes = (from < 0 ? undefined : attributesOf(value.slice(from, value.lastIndexOf('}') + 1))) ?? [];
    links.push({ traceId, spanId, ...(traceState !== '' && { traceState }), attributes });
  }
  return links;
}

/** Undefined when it is no JSON object. */
function attributesOf(json: string): KeyValue[] | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    return undefined;
  }
  if (!isObject(parsed)) return undefined;
  return Object.entries(parsed).map(([key, value]) => ({ key, value: anyValueOf(value) }));
}

function anyValueOf(value: unknown): AnyValue {
  if (typeof value === 'string') return text(value);
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValueOf) } };
  return text(JSON.stringify(value));
}
