/** The table that the demo ends with. Pure. */
import type { AttackResult, Judgement } from './judge.ts';
import { type ResponseResult, responseLines } from './response.ts';

const INDENT = '    ';

/** Lines of text, at most about `width` characters each. */
export function tableOf(
  { attacks, falseAlerts, notices, incidents, passed, response }: Judgement & { readonly response?: ResponseResult },
  width = 120,
): string {
  const rows = attacks.map(rowOf);
  const header = ['attack', 'result', 'named', '', 'risk', 'to alert'];
  const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  const lines = [
    line(header),
    '─'.repeat(
      Math.min(
        width,
        widths.reduce((sum, w) => sum + w + 2, -2),
      ),
    ),
  ];
  for (const [i, attack] of attacks.entries()) {
    lines.push(line(rows[i]!));
    for (const text of notesOf(attack))
      for (const part of wrapped(text, width - INDENT.length)) lines.push(INDENT + part);
  }
  const detected = attacks.filter((attack) => attack.detected).length;
  const right = attacks.filter((attack) => attack.detected && attack.namedRight).length;
  lines.push('');
  lines.push(
    `${detected} of ${attacks.length} attacks detected, ${right} rightly attributed; ${incidents} incident${incidents === 1 ? '' : 's'}; median ${median(attacks.map((a) => a.secondsToAlert))} to the alert`,
  );
  lines.push(
    falseAlerts.length === 0
      ? 'no false alert'
      : `${falseAlerts.length} FALSE alert${falseAlerts.length > 1 ? 's' : ''}:`,
  );
  for (const alert of falseAlerts) {
    const during = alert.during === '' ? '' : ` (during ${alert.during})`;
    for (const part of wrapped(`${alert.kind} at ${alert.service}: ${alert.title}${during}`, width - INDENT.length)) {
      lines.push(INDENT + part);
    }
  }
  if (notices > 0) lines.push(`${notices} operational notice${notices > 1 ? 's' : ''}`);
  if (response !== undefined) lines.push(...responseLines(response));
  lines.push(passed ? 'PASSED' : 'FAILED');
  return lines.join('\n');
}

const rowOf = (attack: AttackResult): string[] => {
  const { name, detected, named, namedRight, namedWrongly, risk, secondsToAlert } = attack;
  return [
    name,
    detected ? 'detected' : 'MISSED',
    named ?? (detected ? 'nobody named' : '–'),
    !detected ? '' : namedRight ? 'right' : `WRONG: ${namedWrongly}`,
    risk > 0 ? String(Math.round(risk)) : '',
    secondsToAlert === null ? '' : `${secondsToAlert.toFixed(1)} s`,
  ];
};

/** What is said below a row: how far it got, the match, and what is not as it should be. */
function notesOf({ detected, matchText, stages, stagesRight, incidents }: AttackResult): string[] {
  const notes: string[] = [];
  if (stages.length > 0 || !stagesRight) {
    notes.push(`stages: ${stages.join(' → ') || 'none'}${stagesRight || !detected ? '' : ' (NOT AS IT WENT)'}`);
  }
  if (incidents > 1) notes.push(`${incidents} INCIDENTS, should be one`);
  if (matchText !== null && matchText !== '') notes.push(matchText);
  return notes;
}

/** Median of the known values, in seconds, for people. */
function median(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null).sort((a, b) => a - b);
  if (known.length === 0) return '–';
  const middle = known.length >> 1;
  const value = known.length % 2 === 1 ? known[middle]! : (known[middle - 1]! + known[middle]!) / 2;
  return `${value.toFixed(1)} s`;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
