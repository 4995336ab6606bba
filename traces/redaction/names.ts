/** Which names mean a secret: patterns with `*` for any text, in which `-`, `_` and `.` are the same and case does not count. */

import { Sensitivity } from '../../schemas/clickhouse/redactor.ts';
import type { RedactionConfig } from '../../schemas/config/redaction.ts';
import { isHarmlessName } from './harmless.ts';

const MEMO_LIMIT = 8_192;

const escapeRegExp = (text: string): string => text.replace(/[\\^$.|?+(){}[\]]/g, '\\$&');

/** One expression for all patterns; never matches when there are none. */
function compilePatterns(patterns: readonly string[]): RegExp {
  if (patterns.length === 0) return /(?!)/;
  const sources = patterns.map((pattern) =>
    pattern.toLowerCase().replaceAll('[-_]', '-').replaceAll(/[_.]/g, '-').split('*').map(escapeRegExp).join('.*'),
  );
  return new RegExp(`^(?:${sources.join('|')})$`, 's');
}

/**
 * Judges names: a pattern may match the whole name or what follows any of its dots, so that `authorization` finds
 * `http.request.header.authorization`. A name of 200 characters and more is data, not a name: its value is looked into.
 */
export function createNameJudge(config: RedactionConfig): (name: string) => Sensitivity {
  const secret = compilePatterns([...config.attributes, ...config.parameters]);
  const allowed = compilePatterns(config.allow);
  const matches = (pattern: RegExp, name: string): boolean => {
    for (let from = 0; ; from++) {
      if (pattern.test(name.slice(from).replaceAll('.', '-'))) return true;
      from = name.indexOf('.', from);
      if (from < 0) return false;
    }
  };
  return (name) => {
    if (name.length >= 200) return Sensitivity.look;
    const plain = name.toLowerCase().replaceAll('_', '-');
    if (matches(secret, plain) && !matches(allowed, plain)) return Sensitivity.secret;
    return isHarmlessName(name) ? Sensitivity.harmless : Sensitivity.look;
  };
}

/** Whether a value under this name is a secret by the name's patterns, in every mode of redaction; memoised. */
export function createSensitiveTest(config: RedactionConfig): (name: string) => boolean {
  const judge = createNameJudge(config);
  const memo = new Map<string, boolean>();
  return (name) => {
    let known = memo.get(name);
    if (known === undefined) {
      known = judge(name) === Sensitivity.secret;
      if (memo.size >= MEMO_LIMIT) memo.clear();
      memo.set(name, known);
    }
    return known;
  };
}
