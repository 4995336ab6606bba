/** Segments of a path that are parameters: ranges into a span's bytes, in arrays that are reused from span to span. */

export interface PathParts {
  count: number;
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  /** 1-based position in the path. */
  readonly positions: Int32Array;
}

export const createPathParts = (): PathParts => ({
  count: 0,
  starts: new Int32Array(64),
  ends: new Int32Array(64),
  positions: new Int32Array(64),
});

export function addPart(parts: PathParts, start: number, end: number, position: number): void {
  if (parts.count >= parts.starts.length || end <= start) return;
  parts.starts[parts.count] = start;
  parts.ends[parts.count] = end;
  parts.positions[parts.count++] = position;
}
