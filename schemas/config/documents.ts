/** The documents generated from the schema: the example file and the table of the README. */
import { stringify } from 'yaml';
import { describeConfig, type Setting } from './describe.ts';

const inYaml = (value: unknown): string => stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd();

const indent = (depth: number): string => '  '.repeat(depth);

function comment(setting: Setting): string {
  const unit = setting.unit === '' ? '' : `, ${setting.unit}`;
  return `${setting.text} (${setting.form}${unit})`;
}

/** A YAML file with every setting at its default; those without one are commented out. */
export function exampleFile(settings: readonly Setting[] = describeConfig()): string {
  const lines = [
    '# Spanwarden: every setting with its default. Generated from schemas/config by `npm run docs:config`.',
    '# Each can be set by an environment variable too: log.queueBytes is SPANWARDEN_LOG_QUEUE_BYTES.',
  ];
  let open: string[] = [];
  for (const setting of settings) {
    const keys = setting.path.split('.');
    const groups = keys.slice(0, -1);
    let same = 0;
    while (same < groups.length && open[same] === groups[same]) same++;
    for (let depth = same; depth < groups.length; depth++) {
      if (depth === 0) lines.push('');
      lines.push(`${indent(depth)}${groups[depth]}:`);
    }
    open = groups;
    const pad = indent(groups.length);
    const key = keys.at(-1)!;
    lines.push(`${pad}# ${comment(setting)}`);
    if (setting.byDefault === undefined) lines.push(`${pad}# ${key}:`);
    else lines.push(`${pad}${key}: ${inYaml(setting.byDefault)}`);
  }
  return `${lines.join('\n')}\n`;
}

const inCell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function defaultCell(setting: Setting): string {
  if (setting.byDefault === undefined) return '–';
  const text = typeof setting.byDefault === 'string' ? setting.byDefault : JSON.stringify(setting.byDefault);
  return text === '' ? '(empty)' : `\`${inCell(text)}\`${setting.unit === '' ? '' : ` ${setting.unit}`}`;
}

/** The README's table, one row a setting. */
export function configTable(settings: readonly Setting[] = describeConfig()): string {
  const rows = settings.map(
    (setting) =>
      `| \`${setting.path}\` | ${defaultCell(setting)} | ${inCell(setting.text)} (${inCell(setting.form)}) |`,
  );
  return ['| setting | default | what it does |', '|---|---|---|', ...rows].join('\n');
}

export const TABLE_START = '<!-- config:start -->';
export const TABLE_END = '<!-- config:end -->';

/** `readme` with the table between its markers renewed; null when it has no markers. */
export function withConfigTable(readme: string, table: string): string | null {
  const start = readme.indexOf(TABLE_START);
  const end = readme.indexOf(TABLE_END);
  if (start < 0 || end < start) return null;
  return `${readme.slice(0, start + TABLE_START.length)}\n${table}\n${readme.slice(end)}`;
}
