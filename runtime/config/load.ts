/** Loads the configuration: defaults, then one YAML file, then the environment, then the command line; the last wins. */
import { readFileSync } from 'node:fs';
import { parseDocument } from 'yaml';
import type { z } from 'zod';
import { describeConfig, type Setting } from '../../schemas/config/describe.ts';
import { type Config, configSchema, WELL_KNOWN_VARIABLES } from '../../schemas/config/index.ts';
import { SpanwardenError } from '../errors.ts';
import { type Environment, FILE_VARIABLE, readEnvironment } from './environment.ts';
import { describeIssue } from './issues.ts';

export interface LoadOptions {
  /** YAML file; without it the one named by SPANWARDEN_CONFIG, else none. */
  readonly file?: string | undefined;
  readonly env: Environment;
  /** By path, from the command line: `{'log.directory': '/tmp/log'}`. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
}

type Tree = Record<string, unknown>;

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);

function setAt(tree: Tree, path: string, value: unknown): void {
  const keys = path.split('.');
  let at = tree;
  for (const key of keys.slice(0, -1)) {
    const inner = at[key];
    if (isTree(inner)) at = inner;
    else {
      const created: Tree = {};
      at[key] = created;
      at = created;
    }
  }
  at[keys.at(-1)!] = value;
}

function readFile(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new SpanwardenError('CONFIG_INVALID', `cannot read the configuration file ${file}`, { cause: error });
  }
  const document = parseDocument(text, { uniqueKeys: true });
  const first = document.errors[0];
  if (first) throw new SpanwardenError('CONFIG_INVALID', `${file}: ${first.message.split('\n')[0]}`, { cause: first });
  const value: unknown = document.toJS();
  if (value === null || value === undefined) return {};
  if (!isTree(value)) throw new SpanwardenError('CONFIG_INVALID', `${file}: must hold sections, not ${typeof value}`);
  // `log:` with every key commented out is null in YAML and means an empty section
  for (const [section, inner] of Object.entries(value)) if (inner === null) value[section] = {};
  return value;
}

/** Throws CONFIG_INVALID with one line a problem. */
export function loadConfig(options: LoadOptions): Config {
  return loadWith(configSchema, describeConfig(), WELL_KNOWN_VARIABLES, options);
}

/** The same for any schema; what `loadConfig` is made of. */
export function loadWith<T>(
  schema: z.ZodType<T>,
  settings: readonly Setting[],
  wellKnown: Readonly<Record<string, string>>,
  options: LoadOptions,
): T {
  const file = options.file ?? options.env[FILE_VARIABLE];
  const tree = file ? readFile(file) : {};
  const sources = new Map<string, string>();
  const environment = readEnvironment(options.env, settings, wellKnown);
  for (const [path, { value, variable }] of environment.values) {
    setAt(tree, path, value);
    sources.set(path, variable);
  }
  for (const [path, value] of Object.entries(options.overrides ?? {})) {
    if (value === undefined) continue;
    setAt(tree, path, value);
    sources.set(path, 'command line');
  }
  const result = schema.safeParse(tree);
  const problems = [...environment.problems];
  if (!result.success)
    for (const issue of result.error.issues)
      problems.push(...describeIssue(issue, settings, (path) => sources.get(path) ?? file ?? ''));
  if (problems.length > 0 || !result.success)
    throw new SpanwardenError(
      'CONFIG_INVALID',
      problems.length === 1 ? `configuration: ${problems[0]}` : `configuration:\n  ${problems.join('\n  ')}`,
    );
  return result.data;
}
