/**
 * Interned texts and labels: a text becomes a small integer once, and known texts are found from their bytes without
 * making a string. Both spaces are capped; past the cap new texts share '<overflow>', new labels keep their service.
 */
import { createByteTable, hashText } from './byte-table.ts';
import type { Label, Symbols } from './segment.ts';

export const OVERFLOW = 1;
export const OVERFLOW_TEXT = '<overflow>';

export interface SymbolOptions {
  readonly maxTexts: number;
  readonly maxLabels: number;
  /** A longer text is cut here, at a character. */
  readonly maxTextBytes?: number;
}

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'] as const;

// A label's text is `service kind[:peer] operation`: service and peer have their spaces and colons escaped, so the first
// two fields end at the first spaces and the operation is the rest. '-' stands for an empty field.
const escapeField = (text: string): string =>
  text === '' ? '-' : text === '-' ? '%2D' : text.replaceAll('%', '%25').replaceAll(' ', '%20').replaceAll(':', '%3A');
const unescapeField = (text: string): string =>
  text === '-' ? '' : text.replaceAll('%2D', '-').replaceAll('%3A', ':').replaceAll('%20', ' ').replaceAll('%25', '%');

function labelTextOf(service: string, kind: number, operation: string, peer: string): string {
  const kindWord = KINDS[kind] ?? KINDS[0];
  return `${escapeField(service)} ${kindWord}${peer === '' ? '' : `:${escapeField(peer)}`} ${operation}`;
}

export function createSymbols(options: SymbolOptions): Symbols {
  const { maxTexts, maxLabels, maxTextBytes = 1024 } = options;
  const table = createByteTable({ maxEntries: maxTexts, maxBytes: 0x4000_0000 });
  const texts: string[] = [];
  const encoder = new TextEncoder();
  const decoder = new TextDecoder();
  let scratch = new Uint8Array(1024);

  let mask = 1023;
  let slots = new Int32Array(mask + 1);
  /** Four integers a label: service, kind, operation, peer. Label 0 does not exist. */
  let tuples = new Int32Array(4 * 512);
  let labelHashes = new Float64Array(512);
  const labelTexts: string[] = [''];
  const labels: Label[] = [{ service: 0, kind: 0, operation: 0, peer: 0 }];
  /** The last eighth is kept for (service, kind, overflow), so that who calls whom stays known past the cap. */
  const openLabels = Math.max(1, maxLabels - (maxLabels >> 3));

  function addText(bytes: Uint8Array, start: number, end: number): number {
    const text = decoder.decode(bytes.subarray(start, end));
    if (text.includes('\uFFFD')) {
      // Invalid UTF-8 is interned as what people will see, so that intern(text(id)) is id.
      const again = encoder.encode(text);
      const known = table.find(again, 0, again.length);
      if (known >= 0) return known;
      const id = table.add(again, 0, again.length);
      if (id < 0) return OVERFLOW;
      texts[id] = text;
      return id;
    }
    const id = table.add(bytes, start, end);
    if (id < 0) return OVERFLOW;
    texts[id] = text;
    return id;
  }

  function internBytes(bytes: Uint8Array, start: number, end: number): number {
    let stop = end;
    if (end - start > maxTextBytes) {
      stop = start + maxTextBytes;
      while (stop > start && (bytes[stop]! & 0xc0) === 0x80) stop--;
    }
    const known = table.find(bytes, start, stop);
    return known >= 0 ? known : addText(bytes, start, stop);
  }

  function intern(text: string): number {
    if (scratch.length < text.length * 3) scratch = new Uint8Array(text.length * 3);
    return internBytes(scratch, 0, encoder.encodeInto(text, scratch).written);
  }

  function slotOf(service: number, kind: number, operation: number, peer: number): number {
    let h = Math.imul(service ^ Math.imul(operation, 0x9e3779b1), 0x85ebca6b) ^ Math.imul(peer * 8 + kind, 0xc2b2ae35);
    h ^= h >>> 15;
    let slot = h & mask;
    for (let id = slots[slot]!; id !== 0; id = slots[slot]!) {
      const at = id * 4;
      if (
        tuples[at] === service &&
        tuples[at + 1] === kind &&
        tuples[at + 2] === operation &&
        tuples[at + 3] === peer
      ) {
        return slot;
      }
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  function growLabels(): void {
    mask = mask * 2 + 1;
    slots = new Int32Array(mask + 1);
    const wider = new Int32Array(tuples.length * 2);
    wider.set(tuples);
    tuples = wider;
    const longer = new Float64Array(labelHashes.length * 2);
    longer.set(labelHashes);
    labelHashes = longer;
    for (let id = 1; id < labels.length; id++) {
      const at = id * 4;
      slots[slotOf(tuples[at]!, tuples[at + 1]!, tuples[at + 2]!, tuples[at + 3]!)] = id;
    }
  }

  function addLabel(service: number, kind: number, operation: number, peer: number): number {
    const id = labels.length;
    if (id * 4 + 4 > tuples.length) growLabels();
    tuples.set([service, kind, operation, peer], id * 4);
    labels.push({ service, kind, operation, peer });
    const text = labelTextOf(texts[service]!, kind, texts[operation]!, texts[peer]!);
    labelTexts.push(text);
    labelHashes[id] = hashText(text);
    slots[slotOf(service, kind, operation, peer)] = id;
    return id;
  }

  function label(service: number, givenKind: number, operation: number, peer: number): number {
    const kind = givenKind > 5 ? 0 : givenKind;
    const known = slots[slotOf(service, kind, operation, peer)]!;
    if (known !== 0) return known;
    if (labels.length - 1 < openLabels) return addLabel(service, kind, operation, peer);
    const ofService = slots[slotOf(service, kind, OVERFLOW, 0)]!;
    if (ofService !== 0) return ofService;
    if (labels.length - 1 < maxLabels) return addLabel(service, kind, OVERFLOW, 0);
    return 1;
  }

  function labelFromText(text: string): number {
    const first = text.indexOf(' ');
    const second = text.indexOf(' ', first + 1);
    if (first < 0 || second < 0) return label(0, 0, intern(text), 0);
    const middle = text.slice(first + 1, second);
    const colon = middle.indexOf(':');
    const kind = Math.max(0, (KINDS as readonly string[]).indexOf(colon < 0 ? middle : middle.slice(0, colon)));
    const peer = colon < 0 ? '' : unescapeField(middle.slice(colon + 1));
    return label(intern(unescapeField(text.slice(0, first))), kind, intern(text.slice(second + 1)), intern(peer));
  }

  intern('');
  intern(OVERFLOW_TEXT);
  addLabel(OVERFLOW, 0, OVERFLOW, 0);

  return {
    intern,
    internBytes,
    text: (id) => texts[id] ?? '',
    label,
    labelOf: (id) => labels[id] ?? labels[0]!,
    labelText: (id) => labelTexts[id] ?? '',
    labelHash: (id) => labelHashes[id] ?? 0,
    labelFromText,
    get size() {
      return texts.length;
    },
    get labelCount() {
      return labels.length - 1;
    },
  };
}
