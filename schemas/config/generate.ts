/**
 * `node schemas/config/generate.ts [--check]`: writes docs/spanwarden.example.yaml and the README's configuration table
 * from the schema; with --check writes nothing and fails when one is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { configTable, exampleFile, TABLE_END, TABLE_START, withConfigTable } from './documents.ts';

const ROOT = new URL('../../', import.meta.url);
const EXAMPLE = new URL('docs/spanwarden.example.yaml', ROOT);
const README = new URL('README.md', ROOT);

function textOf(file: URL): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export interface GeneratedFile {
  readonly file: URL;
  /** Path for people. */
  readonly name: string;
  readonly present: string;
  readonly wanted: string;
}

/** Both files as they are and as they should be. */
export function generatedFiles(): GeneratedFile[] {
  const readme = textOf(README);
  const wanted = withConfigTable(readme, configTable());
  if (wanted === null) throw new Error(`README.md lacks the markers ${TABLE_START} and ${TABLE_END}`);
  return [
    { file: EXAMPLE, name: 'docs/spanwarden.example.yaml', present: textOf(EXAMPLE), wanted: exampleFile() },
    { file: README, name: 'README.md', present: readme, wanted },
  ];
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  for (const { file, name, present, wanted } of generatedFiles()) {
    if (present === wanted) continue;
    if (check) {
      console.error(`${name} is out of date: run \`npm run docs:config\``);
      process.exitCode = 1;
    } else {
      writeFileSync(file, wanted);
      console.error(`${name} written`);
    }
  }
}
