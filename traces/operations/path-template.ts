/**
 * Template of a URL path: segments that look like identifiers, or whose level the learned templates have collapsed,
 * become `{id}`. Leaves behind where the replaced segments lie: they are the path's parameters.
 */
import type { LevelWalk, PathTemplates } from './learned-templates.ts';
import { ID } from './name-template.ts';
import { addPart, type PathParts } from './path-parts.ts';
import { appendSegment, SegmentForm } from './path-segment.ts';
import { appendAll, appendByte, type ByteSink } from './sink.ts';

/** Deeper levels are one wildcard: a hostile path cannot make a long template. */
export const MAX_LEVELS = 16;

/**
 * Appends the template of the path in [start, end) and collects the replaced segments. `walk` stands at the root of the
 * service's learned templates, where there are any.
 */
export function appendPathTemplate(
  sink: ByteSink,
  bytes: Uint8Array,
  start: number,
  end: number,
  templates: PathTemplates,
  walk: LevelWalk,
  parts: PathParts,
): void {
  parts.count = 0;
  let at = start;
  if (bytes[at] === 0x2f) at++;
  if (at >= end) {
    appendByte(sink, 0x2f);
    return;
  }
  for (let level = 1; at <= end; level++) {
    let to = at;
    while (to < end && bytes[to] !== 0x2f) to++;
    // `..` is no resource: what follows is somebody's value, whole.
    if (level > MAX_LEVELS || (to - at === 2 && bytes[at] === 0x2e && bytes[at + 1] === 0x2e)) {
      appendByte(sink, 0x2f);
      appendByte(sink, 0x2a);
      addPart(parts, at, end, level);
      return;
    }
    if (to === end && to === at) {
      // A trailing slash means the same resource.
      if (level === 1) appendByte(sink, 0x2f);
      return;
    }
    appendByte(sink, 0x2f);
    const from = sink.length;
    const before = parts.count;
    const form = appendSegment(sink, bytes, at, to, parts, level);
    if (to > at && templates.step(walk, sink.bytes, from, sink.length, form === SegmentForm.typed)) {
      sink.length = from;
      parts.count = before;
      appendAll(sink, ID);
      addPart(parts, at, to, level);
    }
    at = to + 1;
  }
}

const isRouteParameter = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    // :id  {id}  <id>  [id]  *  (regular expression)  $id
    if (byte === 0x7b || byte === 0x3c || byte === 0x5b || byte === 0x2a || byte === 0x28 || byte === 0x24) return true;
    if (byte === 0x3a && i === start) return true;
  }
  return false;
};

const isWildcard = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (bytes[i] === 0x2a) return true;
  // {path...} of Go, {path:path} of Starlette
  return end - start > 5 && bytes[end - 2] === 0x2e && bytes[end - 3] === 0x2e;
};

const levelsOf = (bytes: Uint8Array, start: number, end: number): number => {
  let levels = 0;
  for (let i = start; i < end; i++) if (bytes[i] === 0x2f && i + 1 < end) levels++;
  return bytes[start] === 0x2f ? levels : levels + 1;
};

/**
 * Collects the segments of a path that stand where the route has parameters. A mounted router's route may lack the
 * path's first levels, so both are aligned at their end, unless the route ends in a wildcard, which takes the rest.
 */
export function matchRoute(
  route: Uint8Array,
  routeStart: number,
  routeEnd: number,
  path: Uint8Array,
  pathStart: number,
  pathEnd: number,
  parts: PathParts,
): void {
  parts.count = 0;
  let hasParameter = false;
  for (let i = routeStart; i < routeEnd && !hasParameter; i++) {
    const byte = route[i]!;
    hasParameter =
      byte === 0x3a ||
      byte === 0x7b ||
      byte === 0x3c ||
      byte === 0x2a ||
      byte === 0x28 ||
      byte === 0x5b ||
      byte === 0x24;
  }
  if (!hasParameter) return;
  const wild = isWildcard(route, routeStart, routeEnd);
  let skip = wild ? 0 : levelsOf(path, pathStart, pathEnd) - levelsOf(route, routeStart, routeEnd);
  if (skip < 0) return;
  let at = path[pathStart] === 0x2f ? pathStart + 1 : pathStart;
  let level = 1;
  while (skip > 0 && at < pathEnd) {
    if (path[at] === 0x2f) {
      skip--;
      level++;
    }
    at++;
  }
  let routeAt = route[routeStart] === 0x2f ? routeStart + 1 : routeStart;
  while (routeAt < routeEnd && at < pathEnd) {
    let routeTo = routeAt;
    while (routeTo < routeEnd && route[routeTo] !== 0x2f) routeTo++;
    let to = at;
    while (to < pathEnd && path[to] !== 0x2f) to++;
    if (isWildcard(route, routeAt, routeTo)) {
      addPart(parts, at, pathEnd, level);
      return;
    }
    if (isRouteParameter(route, routeAt, routeTo)) addPart(parts, at, to, level);
    routeAt = routeTo + 1;
    at = to + 1;
    level++;
  }
}
