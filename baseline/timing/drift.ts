/**
 * What is usual may move, but not faster than 10 % of a key's q99 a day (DETECTION §7): who makes a call one per cent slower
 * from version to version would otherwise teach that any slowness is normal. Each key carries a reference that follows its
 * median at that speed; a key whose median is ahead of it by more than a bin keeps what the version before held. In its
 * first day a key may move as it likes, since no hour of it is known twice; and after a deploy of its service.
 */
import type { BaselineEntry, CompileOptions } from '../model.ts';
import { nsAt, octavesOf } from './bins.ts';
import { keyName, type TimingKeyForm } from './compile.ts';
import type { FeatureForm } from './feature.ts';

/** What a key's medians are held against. */
export interface Usual {
  /** When the key was first more than observed, and when this was written; stream time, milliseconds since the epoch. */
  readonly sinceMs: number;
  readonly atMs: number;
  /** Reference medians, nanoseconds. */
  readonly self?: number;
  readonly total?: number;
}

const SHARE_A_DAY = 0.1;
const DAY_MS = 86_400_000;
/** A median is known to about one bin: an eighth of an octave. */
const SLACK_OCTAVES = 1 / 8;

export function holdBack(forms: readonly TimingKeyForm[], options: CompileOptions): TimingKeyForm[] {
  const { createdMs, previous } = options;
  if (createdMs === undefined) return [...forms];
  const before = new Map<string, BaselineEntry>();
  for (const entry of previous) if (entry.kind === 'histogram') before.set(entry.key, entry);
  return forms.map((form) => {
    if (form.state === 'observe') return form;
    const entry = before.get(keyName(form));
    const known = entry === undefined ? undefined : (JSON.parse(entry.value) as TimingKeyForm);
    const deployed = options.deployed?.has(serviceOf(form, options)) === true;
    if (known?.usual === undefined || known.state === 'observe' || deployed) {
      const sinceMs = known?.usual?.sinceMs ?? createdMs;
      return { ...form, usual: { sinceMs, atMs: createdMs, ...mediansOf(form) } };
    }
    return followed(form, known, known.usual, createdMs);
  });
}

/** The key as it is, or as it was in `known`; its reference has followed it as far as the time allows. */
function followed(form: TimingKeyForm, known: TimingKeyForm, usual: Usual, createdMs: number): TimingKeyForm {
  const medians = mediansOf(form);
  const free = createdMs - usual.sinceMs < DAY_MS;
  const days = Math.max(0, createdMs - usual.atMs) / DAY_MS;
  const next: { self?: number; total?: number } = {};
  let ahead = false;
  for (const feature of ['self', 'total'] as const) {
    const now = medians[feature];
    const reference = usual[feature];
    const learned = known[feature];
    if (now === undefined) continue;
    if (free || reference === undefined || learned === undefined) {
      next[feature] = now;
      continue;
    }
    const reach = SHARE_A_DAY * days * quantileNs(learned, 0.99);
    const followedTo = reference + Math.min(reach, Math.max(-reach, now - reference));
    next[feature] = followedTo;
    if (Math.abs(octavesOf(now) - octavesOf(followedTo)) > SLACK_OCTAVES) ahead = true;
  }
  const written: Usual = { sinceMs: usual.sinceMs, atMs: Math.max(createdMs, usual.atMs), ...next };
  return { ...(ahead ? known : form), usual: written };
}

function mediansOf({ self, total }: TimingKeyForm): { self?: number; total?: number } {
  return {
    ...(self === undefined ? {} : { self: quantileNs(self, 0.5) }),
    ...(total === undefined ? {} : { total: quantileNs(total, 0.5) }),
  };
}

/** Interpolated inside its bin. */
function quantileNs({ counts, low, n }: FeatureForm, q: number): number {
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    const count = counts[i]!;
    if (below + count > q * n) return nsAt((low + i + (q * n - below) / count) / 8);
    below += count;
  }
  return nsAt((low + counts.length) / 8);
}

const serviceOf = ({ level, label }: TimingKeyForm, { symbols }: CompileOptions): string =>
  level === 'kind' ? label : symbols.text(symbols.labelOf(symbols.labelFromText(label)).service);
