/** Settings from environment variables. The only file that reads `process.env`. */
import { parse } from 'yaml';
import { describeConfig, type Setting, type SettingSchema } from '../../schemas/config/describe.ts';
import { WELL_KNOWN_VARIABLES } from '../../schemas/config/index.ts';
import { nearest } from './nearest.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** This process's environment: what `loadConfig` takes, and what child processes are started with. */
export const processEnvironment = (): Environment => ({ ...process.env });

const PREFIX = 'SPANWARDEN_';
/** Names the configuration file itself. */
export const FILE_VARIABLE = 'SPANWARDEN_CONFIG';

const typesOf = (schema: SettingSchema): Set<string> => {
  const types = new Set<string>();
  if (typeof schema.type === 'string') types.add(schema.type);
  else for (const type of schema.type ?? []) types.add(type);
  for (const inner of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])])
    for (const type of typesOf(inner)) types.add(type);
  return types;
};

/** The text of a variable as the value its setting wants; what does not fit is left for the schema to reject. */
function settingValue(text: string, setting: Setting): unknown {
  const types = typesOf(setting.schema);
  if ((types.has('integer') || types.has('number')) && /^\s*[+-]?(\d[\d_]*)(\.\d+)?(e[+-]?\d+)?\s*$/i.test(text))
    return Number(text.replaceAll('_', ''));
  if (types.has('boolean') && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true';
  if (types.has('null') && text === 'null') return null;
  if (types.has('array') && !/^\s*\[/.test(text))
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (types.has('string') && !types.has('array') && !types.has('object')) return text;
  if (types.has('array') || types.has('object')) {
    try {
      return parse(text);
    } catch {
      return text;
    }
  }
  return text;
}

export interface EnvironmentSettings {
  /** Value by path, in the order in which later ones win. */
  readonly values: ReadonlyMap<string, { readonly value: unknown; readonly variable: string }>;
  readonly problems: readonly string[];
}

/** Reads `SPANWARDEN_*` and the well-known variables; an empty variable counts as unset. */
export function readEnvironment(
  env: Environment,
  settings: readonly Setting[] = describeConfig(),
  wellKnown: Readonly<Record<string, string>> = WELL_KNOWN_VARIABLES,
): EnvironmentSettings {
  const byVariable = new Map(settings.map((setting) => [setting.environment, setting]));
  const byPath = new Map(settings.map((setting) => [setting.path, setting]));
  const values = new Map<string, { value: unknown; variable: string }>();
  const problems: string[] = [];
  for (const [variable, path] of Object.entries(wellKnown)) {
    const text = env[variable];
    const setting = byPath.get(path);
    if (text && setting) values.set(path, { value: settingValue(text, setting), variable });
  }
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith(PREFIX) || variable === FILE_VARIABLE || !text) continue;
    const setting = byVariable.get(variable);
    if (setting) values.set(setting.path, { value: settingValue(text, setting), variable });
    else
      problems.push(
        `unknown variable ${variable}; the nearest known one is ${nearest(variable, [...byVariable.keys()])}`,
      );
  }
  return { values, problems };
}
