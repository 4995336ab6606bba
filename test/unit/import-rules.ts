/** The folder table of docs/architecture.md as rules: who may import whom, and where neither I/O nor a clock may be. */

/** Folders of the project and what each may import; 'all' = any. `cli` and `test` stand above everything. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[] | 'all'>> = {
  schemas: [],
  traces: ['schemas'],
  baseline: ['schemas', 'traces'],
  collector: ['schemas', 'traces', 'runtime'],
  trainer: ['schemas', 'traces', 'baseline', 'runtime'],
  detector: ['schemas', 'traces', 'baseline', 'runtime'],
  responder: ['schemas', 'traces', 'runtime'],
  console: ['schemas', 'baseline/edits', 'runtime'],
  runtime: ['schemas'],
  datasets: ['schemas', 'runtime'],
  cli: 'all',
  test: 'all',
};

/** One error class for all: it does nothing but carry a code. */
const FOR_EVERYBODY = 'runtime/errors.ts';

/** No I/O, no clock, no dice. */
export const PURE = ['traces', 'baseline', 'responder/actors', 'responder/incidents', 'responder/kill-chain.ts'];

/** Rooms of a folder in a row: none imports one left of it. */
const IN_A_ROW: Readonly<Record<string, readonly string[]>> = {
  'responder/actors': ['asking', 'judging', 'scene', 'learned', 'kept', 'evidence'],
};

/** What they may use from outside: arithmetic. */
const PURE_MODULES = new Set(['node:crypto', 'ipaddr.js', 'zod']);

/** `process.env` is read here only. */
const ENVIRONMENT = 'runtime/config/';

const within = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`);

/** The source without comments, and with empty strings and templates: what is left is code. */
function codeOf(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g, (found) =>
    found.startsWith('/') ? ' ' : "''",
  );
}

/** Specifiers of all imports and exports-from, dynamic ones with a literal included. */
export function importsOf(source: string): string[] {
  const bare = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/[^\n]*/gm, '');
  const found = bare.matchAll(
    /(?:^\s*(?:import|export)\b[^'";]*?\bfrom\s*|\bimport\s*\(\s*|^\s*import\s+)(['"])([^'"\n]+)\1/gm,
  );
  return [...found].map((one) => one[2]!);
}

/** `../b/c.ts` seen from `a/x/y.ts` → `a/b/c.ts`. */
function resolve(from: string, specifier: string): string {
  const parts = from.split('/').slice(0, -1);
  for (const step of specifier.split('/')) {
    if (step === '..') parts.pop();
    else if (step !== '.') parts.push(step);
  }
  return parts.join('/');
}

const FORBIDDEN_IN_PURE: readonly (readonly [RegExp, string])[] = [
  [/\bDate\s*\.\s*now\b/, 'reads the clock (Date.now)'],
  [/\bnew\s+Date\s*(?:\(\s*\)|(?![\w\s]*\())/, 'reads the clock (new Date())'],
  [/\bperformance\s*\.\s*\w/, 'reads the clock (performance)'],
  [/\bprocess\s*\.\s*\w/, 'reaches for the process'],
  [/\bMath\s*\.\s*random\b/, 'rolls dice (Math.random)'],
  [/\brandom(?:UUID|Bytes|Int|FillSync)\b|\bgetRandomValues\b/, 'rolls dice (crypto)'],
  [/\bset(?:Timeout|Interval|Immediate)\s*\(/, 'waits (a timer)'],
  [/\bfetch\s*\(/, 'uses the network (fetch)'],
  [/\bconsole\s*\.\s*\w/, 'writes (console)'],
];

const isLeft = (file: string, target: string): boolean =>
  Object.entries(IN_A_ROW).some(([folder, rooms]) => {
    const roomOf = (path: string): number => rooms.findIndex((room) => within(path, `${folder}/${room}`));
    return roomOf(target) >= 0 && roomOf(target) < roomOf(file);
  });

/** What breaks the rules in one file; `file` relative to the root. */
export function violations(file: string, source: string): string[] {
  const found: string[] = [];
  const folder = file.split('/')[0]!;
  const allowed = MAY_IMPORT[folder];
  const pure = PURE.some((one) => within(file, one));
  if (allowed === undefined) return [`${file}: the folder ${folder} is not in the table`];
  for (const specifier of importsOf(source)) {
    if (specifier.startsWith('.')) {
      const target = resolve(file, specifier);
      const other = target.split('/')[0]!;
      if (isLeft(file, target)) found.push(`${file}: imports ${target}, which lies left of it`);
      if (other === folder || allowed === 'all' || target === FOR_EVERYBODY) {
        const impure = folder === other && pure && !PURE.some((one) => within(target, one));
        if (impure) found.push(`${file}: imports ${target}, which may do I/O`);
      } else if (!allowed.some((one) => within(target, one))) found.push(`${file}: ${folder} may not import ${target}`);
    } else if (pure && !PURE_MODULES.has(specifier))
      found.push(`${file}: imports ${specifier}, which is not known to be free of I/O`);
  }
  const code = codeOf(source);
  if (pure) for (const [pattern, what] of FORBIDDEN_IN_PURE) if (pattern.test(code)) found.push(`${file}: ${what}`);
  if (folder !== 'test' && !file.startsWith(ENVIRONMENT) && /\bprocess\s*\.\s*env\b/.test(code))
    found.push(`${file}: reads process.env, which is for ${ENVIRONMENT} only`);
  return found;
}
