/** docker/grafana: every query of every dashboard on the shop's days, and uids, variables and links against each other. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { noClickHouse } from '../clickhouse/server.ts';
import {
  type DataSource,
  expand,
  type Panel,
  type Range,
  readDashboards,
  readProvisioning,
  type Values,
} from './dashboards.ts';
import { askRows, type ShopDatabases, startShopDatabases } from './databases.ts';
import { ACTORS, attack, CLIENTS, flatten, INCIDENTS, REQUESTS, TODAY, YESTERDAY } from './shop-days.ts';

const HOUR = 3_600_000;
type Row = Readonly<Record<string, unknown>>;

const dashboards = readDashboards();
const range: Range = { fromMs: YESTERDAY + 8 * HOUR, toMs: TODAY + 15 * HOUR, intervalS: 600 };
const values: Values = {
  class: null,
  service: null,
  incident: INCIDENTS.unpaid.id,
  client: '',
  trace_id: attack.traceId,
  subject: null,
  actor: CLIENTS.attacker,
};
/** Panels that show what is on disk, or when it was written: replays show there, and should. */
const PHYSICAL = ['Duplicate spans', 'Size on disk', 'From the log into ClickHouse', 'Verdicts an insert'];

/** Risk of actors falls as time goes by: between two questions too. */
const withoutRisk = (rows: readonly Row[]): Row[] =>
  rows.map(({ risk: _, ...others }) => others).filter((row) => Object.keys(row).length > 0);

const panels = dashboards.flatMap((dashboard) =>
  dashboard.panels.flatMap((panel) =>
    (panel.targets ?? []).map((target) => ({ name: `${dashboard.title}: ${panel.title}`, panel, target })),
  ),
);
const panelOf = (title: string): { panel: Panel; sql: string } => {
  const found = panels.find(({ panel }) => panel.title === title)!;
  return { panel: found.panel, sql: found.target.rawSql };
};

describe.skipIf(noClickHouse)('the queries of the dashboards', () => {
  let shop: ShopDatabases;
  beforeAll(async () => {
    shop = await startShopDatabases();
  });
  afterAll(() => shop?.stop());

  /** Inserts are dated by the server's clock. */
  const rangeOf = (sql: string): Range =>
    sql.includes('verdict_inserts') ? { fromMs: Date.now() - HOUR, toMs: Date.now() + HOUR, intervalS: 60 } : range;
  const run = (sql: string, more: Values = {}): Promise<Row[]> =>
    askRows<Row>(shop.replayed, expand(sql, rangeOf(sql), { ...values, ...more }));

  test.each(panels)('$name', async ({ panel, target }) => {
    const more = panel.title === 'What this client did' ? { client: CLIENTS.attacker } : {};
    const rows = await run(target.rawSql, more);
    expect(rows.length).toBeGreaterThan(0);
    if (target.queryType === 'timeseries') {
      const [time, ...others] = Object.keys(rows[0]!);
      expect(time).toBe('time');
      expect(others.length).toBeGreaterThan(0);
      expect(rows.map((row) => String(row.time))).toEqual([...rows.map((row) => String(row.time))].sort());
    }
    if (panel.type === 'stat') expect(Object.keys(rows[0]!)).toHaveLength(1);
    if (PHYSICAL.includes(panel.title)) return;
    const once = await askRows<Row>(shop.clean, expand(target.rawSql, range, { ...values, ...more }));
    const falls = target.rawSql.includes('actors_latest');
    expect(falls ? withoutRisk(rows) : rows, 'with everything replayed').toEqual(falls ? withoutRisk(once) : once);
  });

  test('queries of variables give choices', async () => {
    for (const { templating } of dashboards)
      for (const { type, query, name } of templating.list) {
        if (type !== 'query') continue;
        const rows = await run(query);
        expect(rows.length, name).toBeGreaterThan(1);
        expect(Object.keys(rows[0]!).length, name).toBeLessThanOrEqual(2);
      }
  });

  test('their figures are those of the shop', async () => {
    const only = async (title: string): Promise<number> =>
      Number(Object.values((await run(panelOf(title).sql))[0]!)[0]);
    const spans = REQUESTS.reduce((sum, { tree }) => sum + flatten(tree).length, 0);
    expect(await only('Spans judged')).toBe(spans);
    expect(await only('Requests judged')).toBe(REQUESTS.length);
    const share = (is: (request: (typeof REQUESTS)[number]) => boolean): number =>
      REQUESTS.filter(is).length / REQUESTS.length;
    expect(await only('Not scored')).toBeCloseTo(
      share(({ facts }) => facts.state === 'learning'),
      9,
    );
    expect(await only('Client unknown')).toBeCloseTo(
      share(({ facts }) => facts.client?.address === null),
      9,
    );
    const newest = Math.max(...REQUESTS.map(({ startMs }) => startMs + 600));
    expect(await only('Behind')).toBe(Math.ceil((range.toMs - newest) / 1_000));
    expect(await only('Open')).toBe(2);
    expect(await only('Opened')).toBe(3);
    expect(await only('Not delivered')).toBe(3);
    const total = (rows: readonly Row[], name: string): number => rows.reduce((sum, row) => sum + Number(row[name]), 0);
    expect(total(await run(panelOf('Spans a second').sql), 'spans') * range.intervalS).toBeCloseTo(spans, 6);
    const traces = new Set(REQUESTS.filter(({ facts }) => facts.anomalous).map(({ traceId }) => traceId));
    expect(total(await run(panelOf('Anomalous traces by entry').sql), 'traces')).toBe(traces.size);
  });

  test('show how far incidents and actors got, and the risk', async () => {
    const story = INCIDENTS.unpaid.story;
    const stages = story.stages.map(({ stage }) => stage);
    const of = async (dashboard: string, title: string, more: Values = {}): Promise<Row[]> =>
      run(panels.find(({ name }) => name === `Spanwarden: ${dashboard}: ${title}`)!.target.rawSql, more);
    const only = async (dashboard: string, title: string): Promise<number> =>
      Number(Object.values((await of(dashboard, title))[0]!)[0]);
    expect(await only('incidents', 'Highest risk')).toBe(story.risk);
    expect(await only('incidents', 'Reached data')).toBe(1);
    const listed = await of('incidents', 'Incidents');
    expect(listed.find(({ id }) => id === INCIDENTS.unpaid.id)).toMatchObject({ risk: 71, stage: stages.at(-1) });
    // in the order of the kill chain, whichever came first
    expect((await of('incidents', 'Stages of the kill chain')).map(({ stage }) => stage)).toEqual(
      stages.toSorted().toReversed(),
    );
    expect(await of('incidents', 'Stages of the kill chain')).toMatchObject([
      { stage: 'exploitation', incidents: 1, clients: 1, techniques: ['T1190'], requests: 1 },
      { stage: 'access', techniques: ['T1213'], shown_by: ['object-enumeration'], requests: 3 },
    ]);
    expect((await of('incidents', 'Its stages')).map(({ stage }) => stage)).toEqual(stages);
    expect((await of('incidents', 'Its risk')).map(({ why }) => why)).toEqual(story.reasons);
    expect(await of('incidents', 'What it reached')).toEqual([
      { reached: story.reached, tables: story.tables, fields: story.fields, similar: [] },
    ]);
    expect((await of('incidents', 'How far they got')).map(({ stage }) => stage).toSorted()).toEqual(stages.toSorted());

    const subjects = new Set(ACTORS.map(({ subject }) => subject.key).filter((key) => key !== ''));
    expect(await only('actors', 'Actors')).toBe(subjects.size);
    // of what was told more than a day ago no alarm stands; these days are fixed, and today is any day
    const standing = ACTORS.filter(
      ({ subject, abuse, atMs }) => subject.kind !== 'everyone' && abuse !== '' && atMs > Date.now() - 24 * HOUR,
    );
    expect(await only('actors', 'Over a bound')).toBe(standing.length);
    expect(await only('actors', 'Reached data')).toBe(2);
    const actors = await of('actors', 'Actors by risk');
    expect(new Set(actors.map(({ key }) => key))).toEqual(subjects);
    expect(actors.find(({ key }) => key === CLIENTS.attacker)).toMatchObject({
      stages,
      abuses: standing.filter(({ subject }) => subject.key === CLIENTS.attacker).map(({ abuse }) => abuse),
    });
    expect(actors.map(({ key }) => key)).toContain('192.0.2.0/24');
    expect((await of('actors', 'Actors by risk', { subject: ['user'] })).map(({ key }) => key)).toEqual(['mallory']);
    expect((await of('actors', 'Its stages')).map(({ stage, requests }) => [stage, requests])).toEqual([
      ['access', 3],
      ['exploitation', 1],
    ]);
    expect(await of('actors', 'What it did')).toMatchObject([{ abuse: 'object-enumeration', seen: '3 of 3' }]);
    expect((await of('actors', 'Its incidents')).map(({ id }) => id)).toContain(INCIDENTS.unpaid.id);
    expect((await of('actors', 'Its incidents', { actor: 'mallory' })).map(({ id }) => id)).toContain(
      INCIDENTS.unpaid.id,
    );
    expect(await of('actors', 'What it did', { actor: "' OR 1=1 --" })).toEqual([]);
  });

  test('a range within an hour is not empty where hours are counted', async () => {
    const minutes: Range = { fromMs: TODAY + 14.05 * HOUR, toMs: TODAY + 14.2 * HOUR, intervalS: 10 };
    for (const title of ['Share not scored, client unknown, origin unknown', 'Least covered operations'])
      expect(
        (await askRows<Row>(shop.replayed, expand(panelOf(title).sql, minutes, values))).length,
        title,
      ).toBeGreaterThan(0);
  });

  test('"Duplicate spans" counts what a crash left, and nothing where there was none', async () => {
    const { sql } = panelOf('Duplicate spans');
    const lastHour = REQUESTS.filter(({ startMs }) => startMs >= TODAY + 14 * HOUR);
    const duplicates = lastHour.reduce((sum, { tree }) => sum + flatten(tree).length, 0);
    expect(Number((await run(sql))[0]!.duplicates)).toBe(duplicates);
    expect(Number((await askRows<Row>(shop.clean, expand(sql, range, values)))[0]!.duplicates)).toBe(0);
  });

  test('variables choose: a class, a service, a client', async () => {
    const incidents = panelOf('Incidents').sql;
    expect((await run(incidents, { class: ['operational'] })).map(({ id }) => id)).toEqual([INCIDENTS.search.id]);
    expect(await run(incidents, { class: ['telemetry'] })).toEqual([]);
    const traces = panelOf('Anomalous traces').sql;
    expect(await run(traces, { service: ['worker'] })).toEqual([]);
    expect(await run(traces, { client: CLIENTS.attacker })).toHaveLength(4);
    expect(await run(traces, { client: "' OR 1=1 --" })).toEqual([]);
  });

  test('the trace panel gets each span of the trace once', async () => {
    const rows = await run(panelOf('Trace').sql);
    const spans = REQUESTS.filter(({ traceId }) => traceId === attack.traceId).flatMap(({ tree }) => flatten(tree));
    expect(rows).toHaveLength(spans.length);
    expect(new Set(rows.map(({ spanID }) => spanID)).size).toBe(spans.length);
  });
});

describe('the dashboards as files', () => {
  const { datasources } = readProvisioning<{ datasources: DataSource[] }>('datasources/spanwarden.yaml');
  const source = datasources[0]!;

  test('there are four, with a uid and a title of their own', () => {
    expect(dashboards.map(({ file }) => file)).toEqual([
      'actors.json',
      'anomalous-traces.json',
      'incidents.json',
      'pipeline-health.json',
    ]);
    expect(new Set(dashboards.map(({ uid }) => uid)).size).toBe(4);
    expect(new Set(dashboards.map(({ title }) => title)).size).toBe(4);
  });

  test('every panel and variable asks the data source that is provisioned', () => {
    expect(datasources).toHaveLength(1);
    expect(source).toMatchObject({ type: 'grafana-clickhouse-datasource', uid: 'spanwarden-clickhouse' });
    for (const { panels: all, templating } of dashboards) {
      for (const panel of all)
        for (const target of panel.targets ?? []) {
          expect(target.datasource).toEqual({ type: source.type, uid: source.uid });
          expect(panel.datasource?.uid).toBe(source.uid);
        }
      for (const { type, datasource } of templating.list)
        if (type === 'query') expect(datasource?.uid).toBe(source.uid);
    }
  });

  test('it is read as the user that can only read, its password is no text of a file', () => {
    expect(source.jsonData).toMatchObject({ username: 'reader', defaultDatabase: 'spanwarden' });
    expect(source.secureJsonData.password).toMatch(/^\$[A-Z_]+$/);
  });

  test('formats are those that sqlds knows, and fit the panel', () => {
    const FORMATS: Readonly<Record<string, number>> = { timeseries: 0, table: 1, traces: 3 };
    const ASKS: Readonly<Record<string, string>> = {
      timeseries: 'timeseries',
      stat: 'table',
      table: 'table',
      traces: 'traces',
    };
    for (const { panel, target } of panels) {
      expect(target.queryType, panel.title).toBe(ASKS[panel.type]);
      expect(target.format, panel.title).toBe(FORMATS[target.queryType]);
      expect(target.editorType).toBe('sql');
    }
  });

  test.each(dashboards)('$file: ids are its own, and no panel covers another', ({ panels: all }) => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    const taken = new Set<string>();
    for (const { gridPos, title } of all) {
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.has(`${x},${y}`), title).toBe(false);
          taken.add(`${x},${y}`);
        }
    }
  });

  test('links lead to dashboards and variables that there are', () => {
    const byUid = new Map(dashboards.map((dashboard) => [dashboard.uid, dashboard]));
    let links = 0;
    for (const { text, templating } of dashboards) {
      for (const [, uid, query] of text.matchAll(/"url": "\/d\/([\w-]+)\?([^"]*)"/g)) {
        links++;
        const there = byUid.get(uid!)?.templating.list.map(({ name }) => name);
        for (const [, name] of query!.matchAll(/var-(\w+)=/g)) expect(there).toContain(name);
      }
      const own = templating.list.map(({ name }) => name);
      for (const [, name] of text.matchAll(/\$\{(\w+):(?:singlequote|queryparam)\}/g)) expect(own).toContain(name);
    }
    expect(links).toBeGreaterThan(5);
  });

  test('they are where Grafana is told to look', () => {
    const { providers } = readProvisioning<{ providers: { options: { path: string } }[] }>(
      'dashboards/spanwarden.yaml',
    );
    expect(providers.map(({ options }) => options.path)).toEqual(['/etc/grafana/dashboards']);
  });
});
