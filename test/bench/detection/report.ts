/** The report: what must be reached first, then every section as it was measured. */
import type { Section } from './section.ts';
import { table } from './section.ts';
import { SEED, type Sizes } from './world.ts';

export interface ReportFacts {
  readonly sizes: Sizes;
  readonly quick: boolean;
  /** Day of the measurement, as the caller says it. */
  readonly date?: string;
  /** Files of docs/detection/. */
  readonly chapters: readonly string[];
}

export function reportOf(
  sections: readonly Section[],
  facts: ReportFacts,
): { readonly text: string; readonly table: string } {
  const targets = sections.flatMap((section) => section.targets ?? []);
  const rows = targets.map(({ what, target, value, reached }) => [
    what,
    target,
    value ?? 'not measured',
    reached === undefined ? '–' : reached ? 'yes' : '**no**',
  ]);
  const reached = table(['what', 'target', 'measured', 'reached'], rows);
  const { sizes, quick, chapters } = facts;
  const text = [
    '# Detection report',
    `Written by \`npm run bench:detection\`${quick ? ' `--quick`' : ''}${facts.date === undefined ? '' : ` on ${facts.date}`} with fixed seeds (${SEED}): the same code gives the same figures, apart from ` +
      'those of cost, which are of one machine. One configuration for everything: the defaults, profile `export`. Generated traffic is of `datasets/generated`: ' +
      `${sizes.learned.toLocaleString('en-US')} traces learned, others judged, where a section does not say otherwise. Brackets are 95 % intervals (Clopper–Pearson) unless something else is said. ` +
      'Where the product’s own verdict is judged, thresholds are nominal p; _recall at FPR x_ is by rank among clean traffic that was not learned.',
    '## What must be reached',
    reached,
    ...sections.flatMap((section) => [
      `## ${section.title}`,
      ...(section.quick === true && !quick ? ['_Measured with `--quick`: fewer traces, wider intervals._'] : []),
      ...section.body,
    ]),
    ...(chapters.length === 0
      ? []
      : [
          '## More',
          chapters.map((file) => `- [${file.replace(/\.md$/, '').replaceAll('-', ' ')}](detection/${file})`).join('\n'),
        ]),
  ].join('\n\n');
  const terminal = rows.map((row) => row.map((cell) => cell.replaceAll('**', '')).join('  ·  ')).join('\n');
  return { text: `${text}\n`, table: `${terminal}\n` };
}
