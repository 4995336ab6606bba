/** What a part of the bench gives: a section of the report, and rows for the table of what must be reached. */
import type { Proportion } from './statistics.ts';

export interface Target {
  readonly what: string;
  readonly target: string;
  /** Measured, in words; undefined = not measured. */
  readonly value?: string;
  readonly reached?: boolean;
}

export interface Section {
  readonly title: string;
  /** Paragraphs and tables in Markdown. */
  readonly body: readonly string[];
  readonly targets?: readonly Target[];
  /** Measured with fewer traces. */
  readonly quick?: boolean;
}

export interface BenchOptions {
  /** Folder of the development sets. */
  readonly datasets?: string;
  readonly quick: boolean;
  say(text: string): void;
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const digits = (value: number): string => {
  if (Number.isNaN(value)) return '–';
  if (value >= 0.9995 && value < 1) return '.9995+';
  return value >= 1 ? value.toFixed(3) : value.toFixed(3).replace(/^0/, '');
};

/** `.987 [.97, .99]` */
export const share = ({ value, low, high, of }: Proportion): string =>
  of === 0 ? '–' : `${digits(value)} [${digits(low)}, ${digits(high)}]`;
export const short = ({ value, of }: Proportion): string => (of === 0 ? '–' : digits(value));
export const count = (value: number): string => value.toLocaleString('en-US');
export const percent = (value: number, places = 1): string =>
  Number.isNaN(value) ? '–' : `${(100 * value).toFixed(places)} %`;

/** Realised over nominal, with its interval: `1.04 [0.9, 1.2]`. */
export const ratio = ({ value, low, high }: Proportion, nominal: number): string =>
  `${(value / nominal).toFixed(2)} [${(low / nominal).toFixed(2)}, ${(high / nominal).toFixed(2)}]`;
