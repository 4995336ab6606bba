/** docker-compose.yml as its services, with variables filled in; as much of Compose as the file uses. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';

const ROOT = new URL('../../../', import.meta.url);

export const textOf = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');

export interface Health {
  readonly test?: readonly string[];
  readonly disable?: boolean;
  readonly interval?: string;
  readonly timeout?: string;
  readonly retries?: number;
  readonly start_period?: string;
}

export interface Service {
  readonly image: string;
  readonly build?: string;
  readonly command?: readonly string[];
  readonly user?: string;
  readonly read_only?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly networks: readonly string[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: Health;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly init?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: { readonly driver: string; readonly options: Readonly<Record<string, string>> };
  readonly mem_limit?: string;
  readonly cpus?: number;
  readonly pids_limit?: number;
  readonly stop_grace_period?: string;
  readonly container_name?: string;
  readonly privileged?: boolean;
  readonly network_mode?: string;
}

export interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const VARIABLE = /\$\{([A-Z_]+)(?::([-?])([^}]*))?\}/g;

/** Variables of the file, those that it refuses to start without marked. */
export function variablesOf(source: string): Map<string, { readonly required: boolean; readonly byDefault: string }> {
  const found = new Map<string, { required: boolean; byDefault: string }>();
  for (const [, name, kind, rest] of source.matchAll(VARIABLE))
    found.set(name!, { required: kind === '?', byDefault: kind === '-' ? rest! : '' });
  return found;
}

/** Compose's interpolation; throws as it does where a variable must be set. */
export const interpolate = (text: string, variables: Readonly<Record<string, string>>): string =>
  text.replace(VARIABLE, (_, name: string, kind: string | undefined, rest: string) => {
    const value = variables[name] ?? '';
    if (value !== '') return value;
    if (kind === '?') throw new Error(`${name}: ${rest}`);
    return kind === '-' ? rest : '';
  });

export function loadCompose(
  variables: Readonly<Record<string, string>>,
  source = textOf('docker-compose.yml'),
): Compose {
  const filled = (value: unknown): unknown => {
    if (typeof value === 'string') return interpolate(value, variables);
    if (Array.isArray(value)) return value.map(filled);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner)]));
  };
  return filled(parse(source, { merge: true, uniqueKeys: true })) as Compose;
}

const UNITS: Readonly<Record<string, number>> = { k: 1_024, m: 1_024 ** 2, g: 1_024 ** 3 };

/** `1536m` → bytes. */
export function bytesOf(text: string): number {
  const [, number, unit] = /^(\d+)([kmg])$/.exec(text) ?? [];
  if (number === undefined || unit === undefined) throw new Error(`not a size: ${text}`);
  return Number(number) * UNITS[unit]!;
}

/** `30s` → milliseconds. */
export function millisecondsOf(text: string): number {
  const [, number] = /^(\d+)s$/.exec(text) ?? [];
  if (number === undefined) throw new Error(`not a time in seconds: ${text}`);
  return Number(number) * 1_000;
}
