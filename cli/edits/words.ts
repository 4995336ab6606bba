/** Edits and previews as text for people. */
import type { EditPreview } from '../../baseline/edits/compare.ts';
import type { Preview } from '../../console/preview.ts';
import type { EditDocument } from '../../schemas/baselines/edit.ts';

export interface ShownEdit {
  readonly document: EditDocument;
  readonly summary: string;
  readonly incidentId: string;
  readonly preview: Preview | null;
}

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const count = (n: number): string => n.toLocaleString('en');

export const editLine = ({ document, summary }: ShownEdit, nowMs: number): string => {
  const { id, revision, state, expiresMs, owner, by } = document;
  const over = expiresMs !== null && expiresMs <= nowMs ? ' (ended)' : '';
  const ends = expiresMs === null ? 'never ends' : `ends ${timeOf(expiresMs)}`;
  return [id, `r${revision}`, `${state}${over}`.padEnd(8), (owner === '' ? by : owner).padEnd(10), ends, summary].join(
    '  ',
  );
};

export function editStory({ document, summary, incidentId, preview }: ShownEdit): string[] {
  const { id, revision, state, owner, by, atMs, expiresMs, comment } = document;
  return [
    `${id} revision ${revision}: ${summary}`,
    `  state     ${state}${expiresMs === null ? '' : `, ends ${timeOf(expiresMs)}`}`,
    `  written   ${timeOf(atMs)}${by === '' ? '' : ` by ${by}`}${owner === '' ? '' : `, owned by ${owner}`}`,
    ...(comment === '' ? [] : [`  comment   ${comment}`]),
    ...(incidentId === '' ? [] : [`  incident  ${incidentId}`]),
    ...(preview === null ? [] : previewLines(preview)),
  ];
}

export function previewLines({ judgedAgain, stored, why }: Preview): string[] {
  const lines = ['  over the last day it would have changed:'];
  if (judgedAgain !== null) lines.push(...judgedLines(judgedAgain).map((line) => `    ${line}`));
  if (stored !== null)
    lines.push(
      `    of ${count(stored.scored)} stored verdicts, ${count(stored.fewerFindings)} would have fewer findings, ` +
        `${count(stored.silenced)} no near-certain one left`,
    );
  if (why !== '') lines.push(`    ${why}`);
  return lines;
}

function judgedLines(preview: EditPreview): string[] {
  const { judged, requests, whole, changed, anomalous, gone, added, incidents, examples, fromMs, toMs } = preview;
  const part = whole && judged === requests ? 'all' : `a sample of`;
  const over = fromMs === null || toMs === null ? '' : `, ${timeOf(fromMs)} to ${timeOf(toMs)}`;
  return [
    `${count(changed)} of ${count(judged)} requests judged again (${part} ${count(requests)}${over})`,
    `anomalous: ${count(anomalous.before)} without it, ${count(anomalous.after)} with it`,
    `near-certain novelties, each an incident: ${count(incidents.keptAway)} kept away, ${count(incidents.made)} made`,
    ...gone
      .slice(0, 10)
      .map(
        (one) =>
          `gone   ${one.kind} ${one.explanationKey} (${count(one.requests)}×${one.hard ? ', near-certain' : ''})`,
      ),
    ...added
      .slice(0, 10)
      .map(
        (one) =>
          `new    ${one.kind} ${one.explanationKey} (${count(one.requests)}×${one.hard ? ', near-certain' : ''})`,
      ),
    ...examples
      .slice(0, 3)
      .flatMap(({ traceId, before, after }) => [`e.g. ${traceId}`, `  without  ${before}`, `  with     ${after}`]),
  ];
}
