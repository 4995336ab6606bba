/** The dashboards of docker/grafana as files, and what Grafana and its ClickHouse data source make of their queries. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const GRAFANA = new URL('../../../docker/grafana/', import.meta.url);

export interface Target {
  readonly refId: string;
  readonly datasource: { readonly type: string; readonly uid: string };
  readonly editorType: string;
  readonly format: number;
  readonly queryType: string;
  readonly rawSql: string;
}

export interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
}

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly multi?: boolean;
  readonly datasource?: { readonly uid: string };
}

export interface Dashboard {
  readonly file: string;
  readonly text: string;
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly Variable[] };
}

export interface DataSource {
  readonly uid: string;
  readonly type: string;
  readonly jsonData: Readonly<Record<string, unknown>>;
  readonly secureJsonData: Readonly<Record<string, string>>;
}

export const readDashboards = (): Dashboard[] =>
  readdirSync(new URL('dashboards/', GRAFANA))
    .sort()
    .map((file) => {
      const text = readFileSync(new URL(`dashboards/${file}`, GRAFANA), 'utf8');
      return { file, text, ...(JSON.parse(text) as Omit<Dashboard, 'file' | 'text'>) };
    });

export const readProvisioning = <T>(path: string): T =>
  parse(readFileSync(new URL(`provisioning/${path}`, GRAFANA), 'utf8')) as T;

export interface Range {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalS: number;
}

/** Values of variables; null = all. */
export type Values = Readonly<Record<string, readonly string[] | string | null>>;

const escapeQuotes = (text: string): string => `'${text.replaceAll("'", "\\'")}'`;

/**
 * Macros as grafana/clickhouse-datasource documents and expands them (README; pkg/macros/macros.go, read at commit
 * 4304e52e020c; `$__conditionalAll` in src/data/removeConditionalAlls.ts), variables in Grafana's `singlequote` format.
 */
export function expand(sql: string, { fromMs, toMs, intervalS }: Range, values: Values): string {
  const seconds = (ms: number): string => `toDateTime(${Math.floor(ms / 1_000)})`;
  const millis = (ms: number): string => `fromUnixTimestamp64Milli(${ms})`;
  const day = (ms: number): string => `toDate('${new Date(ms).toISOString().slice(0, 10)}')`;
  const between = (column: string, time: (ms: number) => string): string =>
    `${column} >= ${time(fromMs)} AND ${column} <= ${time(toMs)}`;
  const macros: Readonly<Record<string, (...args: string[]) => string>> = {
    timeFilter: (column) => between(column!, seconds),
    timeFilter_ms: (column) => between(column!, millis),
    dateFilter: (column) => between(column!, day),
    dateTimeFilter: (date, time) => `(${between(date!, day)}) AND (${between(time!, seconds)})`,
    timeInterval: (column) => `toStartOfInterval(toDateTime(${column}), INTERVAL ${intervalS} second)`,
    fromTime: () => seconds(fromMs),
    toTime: () => seconds(toMs),
    fromTime_ms: () => millis(fromMs),
    toTime_ms: () => millis(toMs),
    interval_s: () => `${intervalS}`,
  };
  const expanded = sql
    .replace(/\$__conditionalAll\((.*?\)), \$(\w+)\)/g, (_, condition: string, name: string) => {
      if (!(name in values)) throw new Error(`no variable ${name}`);
      return values[name] === null ? '1=1' : condition;
    })
    .replace(/\$\{(\w+):singlequote\}/g, (_, name: string) => {
      const value = values[name];
      if (value === undefined || value === null) throw new Error(`no value of the variable ${name}`);
      return [value].flat().map(escapeQuotes).join(',');
    })
    .replace(/\$__(\w+)(?:\(([^()]*)\))?/g, (_, name: string, args?: string) => {
      const macro = macros[name];
      if (macro === undefined) throw new Error(`the data source has no macro ${name}`);
      return macro(...(args ?? '').split(',').map((arg) => arg.trim()));
    });
  if (expanded.includes('$')) throw new Error(`not expanded: ${expanded}`);
  return expanded;
}
