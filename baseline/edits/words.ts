/** What an edit says, in one line for people. */
import type { EditBody } from '../../schemas/baselines/edit.ts';
import { callWords } from './calls.ts';

export function summaryOf(edit: EditBody): string {
  const parts: string[] = [
    ...edit.approve.map(({ kind, explanationKey }) => `${kind} ${explanationKey} is expected`),
    ...edit.required.map(({ parent, child }) => `${callWords(parent)} must call ${callWords(child)}`),
    ...edit.optional.map(({ parent, child }) => `${callWords(parent)} may leave out ${callWords(child)}`),
    ...edit.forbidden.map(({ parent, child }) =>
      parent === undefined
        ? `nobody may call ${callWords(child)}`
        : `${callWords(parent)} may not call ${callWords(child)}`,
    ),
    ...edit.counts.map(
      ({ parent, child, min, max }) =>
        `${callWords(parent)} calls ${callWords(child)} ${min === undefined ? 'at most' : `${min} to`} ${max ?? 'any number of'} times`,
    ),
    ...edit.order.map(
      ({ parent, before, after }) => `under ${callWords(parent)}, ${callWords(before)} before ${callWords(after)}`,
    ),
    ...edit.latency.map(
      ({ call, minMs, maxMs }) =>
        `${callWords(call)} takes ${minMs === undefined ? 'at most' : `${minMs} to`} ${maxMs} ms`,
    ),
    ...edit.parameters.map(({ call, name, types, minLength, maxLength }) => {
      const lengths =
        minLength === undefined && maxLength === undefined ? '' : `${minLength ?? 0}–${maxLength ?? '∞'} characters`;
      return `${name} of ${callWords(call)} is ${[types?.join(' or ') ?? '', lengths].filter((part) => part !== '').join(', ')}`;
    }),
    ...Object.entries(edit.thresholds).map(([component, value]) => `${component} similarity ≥ ${value}`),
  ];
  if (parts.length === 0 && edit.signature !== undefined) parts.push(`signature ${edit.signature}`);
  const where = edit.entry === undefined ? '' : `${edit.entry}: `;
  const shown = parts.length > 3 ? `${parts.slice(0, 3).join('; ')} and ${parts.length - 3} more` : parts.join('; ');
  return `${where}${shown}`;
}
