/** An operator's word on an incident, over the console. */
import type { IncidentActionKind } from '../../schemas/log/incident-action.ts';
import type { ConsoleClient } from '../console/client.ts';
import { editStory, type ShownEdit } from '../edits/words.ts';
import { printJson, printLines } from '../terminal.ts';

export interface WordValues {
  readonly comment?: string | undefined;
  readonly owner?: string | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly 'no-preview'?: boolean | undefined;
  readonly json?: boolean | undefined;
  readonly expiresMs?: number | null;
}

interface Answer {
  readonly incident: { readonly id: string; readonly title: string };
  readonly edit?: ShownEdit;
  readonly left?: readonly { readonly kind: string; readonly explanationKey: string }[];
}

const SAID: Readonly<Record<IncidentActionKind, string>> = {
  acknowledge: 'acknowledged',
  resolve: 'resolved',
  reopen: 'reopened',
  'expect-once': 'expected this once: what is still to come of it is not told',
  'expect-always': 'expected always',
  bad: 'bad: an attack; it counts as a true alert, and cannot be expected before it is reopened',
};

export async function sayWord(
  client: ConsoleClient,
  id: string,
  action: IncidentActionKind,
  values: WordValues,
): Promise<void> {
  const dryRun = values['dry-run'] === true;
  const answer = await client.send<Answer>('POST', `incidents/${encodeURIComponent(id)}/actions`, {
    action,
    by: client.by,
    comment: values.comment ?? '',
    owner: values.owner ?? '',
    expiresMs: values.expiresMs ?? null,
    dryRun,
    preview: values['no-preview'] !== true,
  });
  if (values.json === true) return printJson(answer);
  const { incident, edit, left = [] } = answer;
  const lines = [`${incident.id}  ${incident.title}`, `  ${dryRun ? 'would be ' : ''}${SAID[action]}`];
  if (edit !== undefined) lines.push(...editStory(edit));
  if (left.length > 0)
    lines.push(
      `  not approved by it, and still told: ${left.map((one) => `${one.kind} ${one.explanationKey}`).join('; ')}`,
    );
  if (dryRun) lines.push('not done: --dry-run');
  printLines(lines);
}
