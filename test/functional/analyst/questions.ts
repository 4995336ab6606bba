/** The queries of docs/analysts.md with the answers beside them, and how the document is written anew. */
import { readFileSync, writeFileSync } from 'node:fs';

const DOCUMENT = new URL('../../../docs/analysts.md', import.meta.url);

export interface Question {
  /** Heading it stands under. */
  readonly heading: string;
  readonly sql: string;
  /** From `-- param_name=value` lines. */
  readonly parameters: Readonly<Record<string, string>>;
  /** The table under the query: its header and its rows, cells trimmed. */
  readonly answer: readonly (readonly string[])[];
}

const cellsOf = (line: string): string[] =>
  line
    .trim()
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => cell.trim());

/** Rows of a Markdown table, without the line under its header. */
export const tableOf = (text: string): string[][] =>
  text
    .trim()
    .split('\n')
    .filter((line) => !/^\|[\s:|-]+\|$/.test(line.trim()))
    .map(cellsOf);

const BLOCK = /```sql\n([\s\S]*?)```\n\nAnswer:\n\n((?:\|.*\n)+)/g;

export function readQuestions(): Question[] {
  const text = readFileSync(DOCUMENT, 'utf8');
  return [...text.matchAll(BLOCK)].map((found) => {
    const sql = found[1]!;
    return {
      heading: text
        .slice(0, found.index)
        .match(/^## (.*)$/gm)!
        .at(-1)!
        .slice(3),
      sql,
      parameters: Object.fromEntries(
        [...sql.matchAll(/^-- param_(\w+)=(.*)$/gm)].map(([, name, value]) => [name!, value!]),
      ),
      answer: tableOf(found[2]!),
    };
  });
}

/** Puts new answers under the queries, in order. */
export function writeAnswers(answers: readonly string[]): void {
  let next = 0;
  const text = readFileSync(DOCUMENT, 'utf8').replace(
    BLOCK,
    (_, sql: string) => `\`\`\`sql\n${sql}\`\`\`\n\nAnswer:\n\n${answers[next++]!.trim()}\n`,
  );
  writeFileSync(DOCUMENT, text);
}

/** SQL fenced in the document without an answer: there should be none. */
export const countSqlBlocks = (): number => readFileSync(DOCUMENT, 'utf8').split('```sql\n').length - 1;
