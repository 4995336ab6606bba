/** What the tarball holds, and that nothing it loads is missing from its dependencies. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { importsOf } from '../unit/import-rules.ts';

export interface Content {
  readonly files: readonly string[];
  readonly bytes: number;
  /** One line each; none is wanted. */
  readonly faults: readonly string[];
}

const WANTED = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'docs/spanwarden.example.yaml',
  'dist/cli/bin.mjs',
];
/** Everything else is a mistake: tests, sources, recordings, what only a checkout needs. */
const ALLOWED =
  /^(dist\/.+\.(js|mjs|sql|json)|docs\/[\w.-]+\.(md|yaml)|package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** `folder`: the package as installed. */
export function contentOf(folder: string): Content {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith('node_modules/'))
    .sort();
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  const known = new Set([...Object.keys(manifest.dependencies), ...Object.keys(manifest.optionalDependencies)]);
  const faults = [
    ...WANTED.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
    ...files.filter((file) => !ALLOWED.test(file)).map((file) => `${file} does not belong into the package`),
    ...Object.keys(manifest.optionalDependencies)
      .filter((name) => name.startsWith('node-'))
      .map((name) => `${name} would shadow the user's own Node`),
  ];
  for (const file of files.filter((name) => /^dist\/.+\.m?js$/.test(name))) {
    for (const specifier of importsOf(readFileSync(join(folder, file), 'utf8'))) {
      if (specifier.startsWith('.')) {
        if (!files.includes(join(file, '..', specifier)))
          faults.push(`${file} imports ${specifier}, which is not there`);
        continue;
      }
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/');
      if (!isBuiltin(specifier) && !known.has(name)) faults.push(`${file} imports ${name}, which is no dependency`);
    }
  }
  return { files, bytes: files.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0), faults };
}
