/** Adjusted count of a head-sampled trace: 1 / probability from `ot=th:…` in tracestate (OTel "TraceState: Probability Sampling"). */

/** A trace that claims to stand for more than this is not believed. */
const MAX_WEIGHT = 1_000_000;

const isHex = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66);
const hexValue = (byte: number): number => (byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57);

/** 1 when tracestate has no threshold. */
export function sampleWeightOf(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end; ) {
    let to = at;
    while (to < end && bytes[to] !== 0x2c) to++;
    while (at < to && bytes[at] === 0x20) at++;
    if (to - at > 3 && bytes[at] === 0x6f && bytes[at + 1] === 0x74 && bytes[at + 2] === 0x3d) {
      return thresholdWeight(bytes, at + 3, to);
    }
    at = to + 1;
  }
  return 1;
}

/** `th:c;rv:…`: the rejection threshold, up to 14 hex digits with trailing zeros left out. */
function thresholdWeight(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at + 3 < end; at++) {
    const begins = at === start || bytes[at - 1] === 0x3b;
    if (!begins || bytes[at] !== 0x74 || bytes[at + 1] !== 0x68 || bytes[at + 2] !== 0x3a) continue;
    let threshold = 0;
    let scale = 1 / 16;
    for (let i = at + 3; i < end && i < at + 17 && isHex(bytes[i]!); i++) {
      threshold += hexValue(bytes[i]!) * scale;
      scale /= 16;
    }
    return threshold >= 1 ? MAX_WEIGHT : Math.min(MAX_WEIGHT, 1 / (1 - threshold));
  }
  return 1;
}
