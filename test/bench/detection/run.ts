/**
 * `npm run bench:detection -- [--datasets DIR] [--only NAME] [--quick] [--out FILE] [--parts DIR] [--date DAY]`: the complete
 * detector on traffic with ground truth; prints a table and writes docs/detection-report.md. Seeds are fixed: the same code
 * gives the same report. With `--parts` each part's sections are kept there, and a part that is there is not measured again.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readOptions, wrongUsage } from '../../usage.ts';
import { calibration } from './calibration.ts';
import { contamination } from './contamination.ts';
import { cost } from './cost.ts';
import { day } from './day.ts';
import { development } from './development.ts';
import { disturbed } from './disturbed.ts';
import { mutations } from './mutations.ts';
import { reportOf } from './report.ts';
import type { Section } from './section.ts';
import { sequence } from './sequence.ts';
import { createWorlds, type Worlds } from './world.ts';

const PARTS: Readonly<Record<string, (worlds: Worlds) => Promise<Section | Section[]>>> = {
  development,
  calibration,
  mutations,
  contamination,
  disturbed,
  day,
  cost,
  sequence,
};

const USAGE = `
usage: npm run bench:detection -- [OPTION]…

How well anomalies are found, on traffic with ground truth: a table on stdout, and docs/detection-report.md.

  --datasets DIR   development sets too, from this folder (or SPANWARDEN_DATASETS)
  --only PART      this part alone; may be given again: ${Object.keys(PARTS).join(', ')}
  --quick          small worlds, in minutes
  --out FILE       where the report goes; with --quick or --only it goes to stdout otherwise
  --parts DIR      keeps what each part gave, and measures no part again that is kept there
  --date DAY       the day the report names
`;
const { values } = readOptions(USAGE, {
  datasets: { type: 'string' },
  only: { type: 'string', multiple: true },
  quick: { type: 'boolean', default: false },
  out: { type: 'string' },
  parts: { type: 'string' },
  date: { type: 'string' },
});
const unknown = values.only?.find((name) => !(name in PARTS));
if (unknown !== undefined) wrongUsage(`no part is called ${unknown}`);
const datasets = values.datasets ?? process.env.SPANWARDEN_DATASETS;
if (datasets !== undefined && !existsSync(datasets)) wrongUsage(`there is no folder ${datasets}`);

const cpuSeconds = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};
const say = (text: string): void => void process.stderr.write(`${cpuSeconds().toFixed(0).padStart(5)} s  ${text}\n`);
const worlds = createWorlds({ quick: values.quick, say, ...(datasets !== undefined && { datasets }) });

const sections: Section[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (values.only !== undefined && !values.only.includes(name)) continue;
  const kept = values.parts === undefined ? undefined : join(values.parts, `${name}.json`);
  if (kept !== undefined && existsSync(kept)) {
    say(`${name}: as kept`);
    sections.push(...(JSON.parse(readFileSync(kept, 'utf8')) as Section[]));
    continue;
  }
  say(name);
  const made = await part(worlds);
  const own = (Array.isArray(made) ? made : [made]).map((section) => ({ ...section, quick: values.quick }));
  sections.push(...own);
  if (kept !== undefined) {
    mkdirSync(values.parts!, { recursive: true });
    writeFileSync(kept, JSON.stringify(own));
  }
}

const root = join(import.meta.dirname, '../../..');
const more = join(root, 'docs/detection');
const chapters = existsSync(more)
  ? readdirSync(more)
      .filter((file) => file.endsWith('.md'))
      .sort()
  : [];
const report = reportOf(sections, {
  sizes: worlds.sizes,
  quick: values.quick,
  chapters,
  ...(values.date !== undefined && { date: values.date }),
});
process.stdout.write(report.table);
// a part of it, or a quick one, does not replace the report
const out =
  values.out ?? (values.quick || values.only !== undefined ? undefined : join(root, 'docs/detection-report.md'));
if (out !== undefined) {
  writeFileSync(out, report.text);
  say(`written: ${out}`);
} else process.stdout.write(`\n${report.text}`);
say('done');
