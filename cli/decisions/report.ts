/** What decisions would have done (mode simulate) or did: the figures to look at before they are enforced. */
import type { Refusals } from '../../runtime/clickhouse/stored-decisions.ts';
import type { Decision } from '../../schemas/alerts/decision.ts';

export interface Reported {
  /** Newest first. */
  readonly made: readonly Decision[];
  /** There are older ones than those. */
  readonly isCut: boolean;
  readonly refused: readonly Refusals[];
}

export function simulateReport(
  { made, isCut, refused }: Reported,
  mode: 'off' | 'simulate' | 'enforce',
  { sinceMs, nowMs }: { readonly sinceMs: number; readonly nowMs: number },
): string[] {
  const would = mode === 'enforce' ? 'met' : 'would have met';
  const lines = [
    `decisions from ${new Date(sinceMs).toISOString()} to ${new Date(nowMs).toISOString()}, response.mode ${mode}`,
    '',
  ];
  if (made.length === 0) lines.push('none was made');
  if (isCut) lines.push(`only the newest ${made.length} that were made: --most shows and counts more`, '');
  for (const target of ['everything', 'operations', 'reduced-rights'] as const) {
    const of = made.filter((one) => one.target === target).sort((a, b) => b.matchedOrdinary - a.matchedOrdinary);
    if (of.length === 0) continue;
    const met = of.reduce((sum, { matched }) => sum + matched, 0);
    const ordinary = of.reduce((sum, { matchedOrdinary }) => sum + matchedOrdinary, 0);
    lines.push(`${TARGET[target]}: ${of.length} decisions ${would} ${met} requests, ${ordinary} of them ordinary`);
    for (const one of of) lines.push(story(one));
    lines.push('');
  }
  if (refused.length > 0) {
    lines.push(`refused by a rail: ${refused.reduce((sum, { count }) => sum + count, 0)}`);
    for (const { reason, count, values } of refused) lines.push(`  ${count} × ${reason}: ${values.join(', ')}`);
    lines.push('');
  }
  lines.push(
    'An ordinary request is one without any finding. Where ordinary ones stand beside a decision, look who shares the address:',
    "name it in response.allow, or lower response.maxUsersPerAddress, before response.mode is 'enforce' (docs/response.md).",
  );
  return lines;
}

const TARGET: Readonly<Record<Decision['target'], string>> = {
  everything: 'banned',
  operations: 'kept from named operations',
  'reduced-rights': 'marked with a risk',
};

const story = (one: Decision): string =>
  `  ${one.matchedOrdinary} ordinary of ${one.matched}  ${one.scope} ${one.value}  ${one.state}  ${new Date(one.createdMs).toISOString()} for ${Math.round((one.expiresMs - one.createdMs) / 60_000)} min  ${one.reason}  (${one.id}, incident ${one.incidentId})`;
