/** Where path, query, host and port of a span's HTTP request lie, from whichever attributes carry them. */
import { Attribute } from './keys.ts';
import { type AttributeSlots, hasText } from './slots.ts';

/** Ranges into the span's bytes; empty = absent. */
export interface UrlRanges {
  pathStart: number;
  pathEnd: number;
  queryStart: number;
  queryEnd: number;
  hostStart: number;
  hostEnd: number;
  /** Port named in the URL or by its scheme; 0 when neither is there. */
  port: number;
}

export const createUrlRanges = (): UrlRanges => ({
  pathStart: 0,
  pathEnd: 0,
  queryStart: 0,
  queryEnd: 0,
  hostStart: 0,
  hostEnd: 0,
  port: 0,
});

export function clearUrl(url: UrlRanges): void {
  url.pathStart = url.pathEnd = url.queryStart = url.queryEnd = url.hostStart = url.hostEnd = url.port = 0;
}

/** Splits `/path?query#fragment`. */
function splitTarget(bytes: Uint8Array, start: number, end: number, url: UrlRanges): void {
  let stop = start;
  while (stop < end && bytes[stop] !== 0x3f && bytes[stop] !== 0x23) stop++;
  url.pathStart = start;
  url.pathEnd = stop;
  if (bytes[stop] === 0x3f && stop < end) {
    let to = stop + 1;
    while (to < end && bytes[to] !== 0x23) to++;
    url.queryStart = stop + 1;
    url.queryEnd = to;
  }
}

/** Splits `host:port` and `[v6]:port`; brackets are left out. */
export function splitHost(bytes: Uint8Array, start: number, end: number, url: UrlRanges): void {
  url.hostStart = start;
  url.hostEnd = end;
  let colon = -1;
  if (bytes[start] === 0x5b) {
    let close = start;
    while (close < end && bytes[close] !== 0x5d) close++;
    url.hostStart = start + 1;
    url.hostEnd = close;
    if (bytes[close + 1] === 0x3a) colon = close + 1;
  } else {
    for (let i = start; i < end; i++) {
      if (bytes[i] !== 0x3a) continue;
      if (colon >= 0) return; // an IPv6 address without brackets
      colon = i;
    }
    if (colon >= 0) url.hostEnd = colon;
  }
  if (colon < 0) return;
  let port = 0;
  for (let i = colon + 1; i < end; i++) {
    const digit = bytes[i]! - 48;
    if (digit < 0 || digit > 9 || i - colon > 5) return;
    port = port * 10 + digit;
  }
  url.port = port;
}

/** Splits `scheme://user@host:port/path?query#fragment`. */
function splitUrl(bytes: Uint8Array, start: number, end: number, url: UrlRanges): void {
  let at = start;
  while (at + 2 < end && !(bytes[at] === 0x3a && bytes[at + 1] === 0x2f && bytes[at + 2] === 0x2f)) {
    if (bytes[at] === 0x2f || bytes[at] === 0x3f) break;
    at++;
  }
  if (at + 2 >= end || bytes[at] !== 0x3a) {
    splitTarget(bytes, start, end, url);
    return;
  }
  const secure = bytes[at - 1] === 0x73; // https, wss
  at += 3;
  let stop = at;
  let host = at;
  while (stop < end && bytes[stop] !== 0x2f && bytes[stop] !== 0x3f && bytes[stop] !== 0x23) {
    if (bytes[stop] === 0x40) host = stop + 1;
    stop++;
  }
  url.port = 0;
  splitHost(bytes, host, stop, url);
  if (url.port === 0) url.port = secure ? 443 : 80;
  splitTarget(bytes, stop, end, url);
}

/** Fills `url` from url.full, http.target, url.path and url.query, the later ones over the earlier. */
export function readUrl(slots: AttributeSlots, url: UrlRanges): void {
  clearUrl(url);
  const { bytes, starts, ends } = slots;
  if (hasText(slots, Attribute.urlFull)) splitUrl(bytes, starts[Attribute.urlFull]!, ends[Attribute.urlFull]!, url);
  if (hasText(slots, Attribute.httpTarget)) {
    // Absolute form is legal in a request line.
    const start = starts[Attribute.httpTarget]!;
    if (bytes[start] === 0x2f) splitTarget(bytes, start, ends[Attribute.httpTarget]!, url);
    else splitUrl(bytes, start, ends[Attribute.httpTarget]!, url);
  }
  if (hasText(slots, Attribute.urlPath)) {
    url.pathStart = starts[Attribute.urlPath]!;
    url.pathEnd = ends[Attribute.urlPath]!;
  }
  if (hasText(slots, Attribute.urlQuery)) {
    url.queryStart = starts[Attribute.urlQuery]!;
    url.queryEnd = ends[Attribute.urlQuery]!;
    if (bytes[url.queryStart] === 0x3f) url.queryStart++;
  }
}
