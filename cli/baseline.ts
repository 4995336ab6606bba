/** `spanwarden baseline …`: versions of the baseline, roll-back, export and import, over the console. */
import { createReadStream, createWriteStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { SpanwardenError } from '../runtime/errors.ts';
import type { AnsweredRequest, BaselineRequest } from '../schemas/baselines/request.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import { CONSOLE_HELP, CONSOLE_OPTIONS, type ConsoleClient, connectConsole } from './console/client.ts';
import { printJson, printLines } from './terminal.ts';

const OPTIONS = {
  ...CONSOLE_OPTIONS,
  out: { type: 'string' },
  force: { type: 'boolean' },
  forget: { type: 'boolean' },
  comment: { type: 'string' },
} as const;

interface Values {
  readonly out?: string | undefined;
  readonly force?: boolean | undefined;
  readonly forget?: boolean | undefined;
  readonly comment?: string | undefined;
  readonly json?: boolean | undefined;
}

interface Manifest {
  readonly version: string;
  readonly parent: string;
  readonly createdMs: number;
  readonly segments: number;
  readonly alerting: boolean;
  readonly kind?: string;
  readonly source?: string;
  readonly held?: boolean;
}

export const baseline: Command = {
  summary: 'versions of the baseline: list, roll back, resume, export, import',
  help: `
usage: spanwarden baseline versions
       spanwarden baseline rollback VERSION     the models of an older version become current and stay, edits as they are
       spanwarden baseline resume [--forget]    learned versions may become current again
       spanwarden baseline export [VERSION] --out FILE
       spanwarden baseline import FILE [--force]
       spanwarden baseline requests             what was asked of the trainer, with its answers

VERSION is an id or the start of one. An import is held against own traffic first, and becomes current when that confirms it;
its hashes must have been made under the same redaction.key. Files are those of 'spanwarden train', plain or .gz.

--out FILE      where the export goes ('-' = standard output); .gz is compressed
--force         import without waiting for own traffic
--forget        what was counted before is forgotten, and learning begins anew
--comment TEXT  why
${CONSOLE_HELP}
`,
  async run(args) {
    const { values, positionals } = parse(args, OPTIONS);
    const [what, ...rest] = positionals;
    const act = what === undefined || !Object.hasOwn(ACTS, what) ? undefined : ACTS[what];
    if (act === undefined) throw new UsageError(`baseline takes one of ${Object.keys(ACTS).join(', ')}`);
    await act(await connectConsole(values), rest, values);
    return ExitCode.ok;
  },
};

const timeOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')} UTC`;

function one(rest: readonly string[], what: string): string {
  if (rest.length !== 1) throw new UsageError(`it takes ${what}`);
  return rest[0]!;
}

function asked({ request }: { readonly request: BaselineRequest }, values: Values): void {
  if (values.json === true) printJson({ request });
  else
    printLines([
      `asked: ${request.kind}${request.version === '' ? '' : ` ${request.version}`} (${request.id}); ` +
        `'spanwarden baseline requests' shows what the trainer answers`,
    ]);
}

const ACTS: Readonly<
  Record<string, (client: ConsoleClient, rest: readonly string[], values: Values) => Promise<void>>
> = {
  async versions(client, _rest, values) {
    const { current, versions } = await client.get<{ current: string; versions: Manifest[] }>('baseline/versions');
    if (values.json === true) {
      printJson(...versions.map((manifest) => ({ ...manifest, current: manifest.version === current })));
      return;
    }
    if (versions.length === 0) return printLines(['no versions yet']);
    const lines = versions.map(({ version, createdMs, segments, alerting, kind, source, held }) => {
      const from = source === undefined || source === '' ? '' : ` of ${source}`;
      const state = version === current ? 'current' : alerting ? '' : 'learning';
      return [
        version,
        timeOf(createdMs),
        state.padEnd(8),
        `${kind ?? 'learned'}${from}${held === true ? ', held' : ''}`,
        `${segments.toLocaleString('en')} requests`,
      ].join('  ');
    });
    printLines(lines);
  },
  async rollback(client, rest, values) {
    const version = one(rest, 'a version');
    asked(
      await client.send('POST', 'baseline/rollback', { version, by: client.by, comment: values.comment ?? '' }),
      values,
    );
  },
  async resume(client, rest, values) {
    if (rest.length > 0) throw new UsageError(`resume takes no '${rest[0]}'`);
    const body = { by: client.by, comment: values.comment ?? '', forget: values.forget === true };
    asked(await client.send('POST', 'baseline/resume', body), values);
  },
  async requests(client, _rest, values) {
    const { requests } = await client.get<{ requests: AnsweredRequest[] }>('baseline/requests');
    if (values.json === true) return printJson(...requests);
    if (requests.length === 0) return printLines(['nothing was asked']);
    const lines = requests.map(({ atMs, kind, version, by, answer: { state, message } }) =>
      [timeOf(atMs), kind, version, by, state, message].filter((part) => part !== '').join('  '),
    );
    printLines(lines);
  },
  async export(client, rest, values) {
    if (rest.length > 1) throw new UsageError('export takes one version');
    if (values.out === undefined) throw new UsageError("export needs --out FILE ('-' = standard output)");
    const answer = await client.stream(`baseline/versions/${encodeURIComponent(rest[0] ?? 'current')}/export`);
    const body = Readable.fromWeb(answer.body as never);
    if (values.out === '-') {
      for await (const chunk of body) process.stdout.write(chunk as Uint8Array);
      return;
    }
    if (values.out.endsWith('.gz')) await pipeline(body, createGzip(), createWriteStream(values.out));
    else await pipeline(body, createWriteStream(values.out));
    printLines([`${values.out}: version ${answer.headers.get('x-baseline-version')}`]);
  },
  async import(client, rest, values) {
    const file = one(rest, 'a file');
    await access(file).catch((cause: Error) => {
      throw new SpanwardenError('INPUT_UNREADABLE', `${file} cannot be read: ${cause.message}`);
    });
    const query = new URLSearchParams({
      by: client.by,
      comment: values.comment ?? '',
      force: values.force === true ? '1' : '0',
    });
    const answer = await client.upload<{ request: BaselineRequest }>(
      `baseline/import?${query}`,
      'application/x-ndjson',
      Readable.toWeb(opened(file)) as ReadableStream<Uint8Array>,
    );
    asked(answer, values);
  },
};

function opened(file: string): Readable {
  const source = createReadStream(file);
  const body = file.endsWith('.gz') ? source.pipe(createGunzip()) : source;
  source.on('error', (cause) =>
    body.destroy(new SpanwardenError('INPUT_UNREADABLE', `${file} cannot be read: ${cause.message}`)),
  );
  return body;
}
