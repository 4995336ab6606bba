/** `spanwarden edits …`: what operators say of the baseline, over the console. */
import { readFileSync } from 'node:fs';
import { parse as parseYaml, stringify } from 'yaml';
import { SpanwardenError } from '../runtime/errors.ts';
import type { EditInput } from '../schemas/baselines/edit.ts';
import { type Command, ExitCode, parse, UsageError } from './command.ts';
import { CONSOLE_HELP, CONSOLE_OPTIONS, type ConsoleClient, connectConsole } from './console/client.ts';
import { CLAUSE_OPTIONS, type ClauseValues, editOf, expiryOf, withGiven } from './edits/build.ts';
import { editLine, editStory, type ShownEdit } from './edits/words.ts';
import { sayWord } from './incidents/word.ts';
import { printJson, printLines } from './terminal.ts';

const OPTIONS = {
  ...CONSOLE_OPTIONS,
  ...CLAUSE_OPTIONS,
  all: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  'no-preview': { type: 'boolean' },
  at: { type: 'string' },
  id: { type: 'string' },
} as const;

type Values = ClauseValues & {
  readonly all?: boolean | undefined;
  readonly 'dry-run'?: boolean | undefined;
  readonly 'no-preview'?: boolean | undefined;
  readonly at?: string | undefined;
  readonly id?: string | undefined;
  readonly json?: boolean | undefined;
};

export const edits: Command = {
  summary: 'say what counts as normal: approve, block, pin, thresholds; with what it would have changed',
  help: `
usage: spanwarden edits list [--all]
       spanwarden edits show ID
       spanwarden edits approve [KIND KEY [--at CALL]] [CLAUSE…]
       spanwarden edits pin [CLAUSE…]
       spanwarden edits block [CALL | CALL '->' CALL | --signature NAME]
       spanwarden edits threshold ENTRY [--structure S] [--timing S] [--parameters S]      ENTRY '*' = every family
       spanwarden edits expect INCIDENT
       spanwarden edits create FILE            a whole document, YAML or JSON ('-' = standard input)
       spanwarden edits draft SIGNATURE        what was learned of it, as a document: change it, then create
       spanwarden edits preview FILE           what it would change, without writing it
       spanwarden edits retire ID

An edit is a new version of the baseline within seconds. Each says what it would have changed over the last day. Nothing is
deleted: every revision is kept, and retire ends an edit.

approve takes findings away: what it names is normal too. pin also enforces: what it says stands instead of what was learned.
block forbids. KIND and KEY are those of a finding ('spanwarden incidents show ID'), --at the service and operation it is for.

CLAUSE is any of these, as often as needed. A CALL is 'SERVICE OPERATION', or a service alone:
--require 'CALL -> CALL'        the parent must call the child when it succeeds (pin)
--optional 'CALL -> CALL'       the parent may leave the child out
--forbid 'CALL -> CALL'         the parent may not call the child; one CALL alone: nobody may (pin, block)
--count 'CALL -> CALL = 0..20'  how often
--order 'CALL -> CALL -> CALL'  under the first, the second begins before the third (pin)
--latency 'CALL = ..500'        milliseconds: instead of what was learned
--parameter 'CALL NAME = TYPE[,TYPE…][:MIN..MAX]'   types and length: integer, uuid, word, text, …
--structure, --timing, --parameters S   similarity thresholds, 0 to 0.999
--entry ENTRY                   only for requests that enter by this operation
--signature NAME                only for this signature ('POST /checkout #3')

--owner NAME    who answers for it
--expires WHEN  30m, 12h, 30d, 4w or a date; without, it never ends
--comment TEXT  why; over a FILE, these three stand instead of what it says
--id ID         a name of its own; the name of an edit that there is: its next revision
--dry-run       say what it would change, write nothing
--no-preview    write it at once
--all           retired ones too
${CONSOLE_HELP}
`,
  async run(args) {
    const { values, positionals } = parse(args, OPTIONS);
    const [what, ...rest] = positionals;
    const act = what === undefined || !Object.hasOwn(ACTS, what) ? undefined : ACTS[what];
    if (act === undefined) throw new UsageError(`edits takes one of ${Object.keys(ACTS).join(', ')}`);
    const client = await connectConsole(values);
    await act(client, rest, values);
    return ExitCode.ok;
  },
};

const one = (rest: readonly string[], what: string): string => {
  if (rest.length !== 1) throw new UsageError(`it takes ${what}`);
  return rest[0]!;
};

function show(written: ShownEdit, values: Values, dry: boolean): void {
  if (values.json === true) printJson(written);
  else
    printLines([
      ...editStory(written),
      dry ? 'not written: --dry-run' : 'written: in force with the version that the trainer publishes within seconds',
    ]);
}

async function write(client: ConsoleClient, edit: EditInput, values: Values, preview = false): Promise<void> {
  const dry = preview || values['dry-run'] === true;
  const id = values.id === undefined ? {} : { id: values.id };
  if (dry) return show(await client.send<ShownEdit>('POST', 'edits/preview', { edit, ...id }), values, true);
  const more = { by: client.by, preview: values['no-preview'] !== true };
  if (values.id !== undefined) {
    const { edits: all } = await client.get<{ edits: ShownEdit[] }>('edits?all=1');
    const present = all.find(({ document }) => document.id === values.id);
    if (present !== undefined) {
      const supersedes = present.document.revision;
      return show(await client.send('PUT', `edits/${values.id}`, { edit, supersedes, ...more }), values, false);
    }
  }
  show(await client.send<ShownEdit>('POST', 'edits', { edit, ...more, ...id }), values, false);
}

/** What the file says, and over it what the command line says. */
function fileOf(rest: readonly string[], values: Values): EditInput {
  const file = one(rest, "a file, or '-' for standard input");
  let document: EditInput;
  try {
    document = parseYaml(readFileSync(file === '-' ? 0 : file, 'utf8')) as EditInput;
  } catch (cause) {
    throw new SpanwardenError(
      'INPUT_UNREADABLE',
      `${file} cannot be read as YAML or JSON: ${(cause as Error).message}`,
    );
  }
  return withGiven(document, values, Date.now());
}

const ACTS: Readonly<
  Record<string, (client: ConsoleClient, rest: readonly string[], values: Values) => Promise<void>>
> = {
  async list(client, _rest, values) {
    const { edits: all } = await client.get<{ edits: ShownEdit[] }>(`edits?all=${values.all === true ? 1 : 0}`);
    if (values.json === true) printJson(...all);
    else printLines(all.length === 0 ? ['no edits'] : all.map((edit) => editLine(edit, Date.now())));
  },
  async show(client, rest, values) {
    const found = await client.get<ShownEdit & { revisions: ShownEdit[] }>(
      `edits/${encodeURIComponent(one(rest, 'an id'))}`,
    );
    if (values.json === true) return printJson(found);
    const before = found.revisions.slice(1).map((edit) => `  before    ${editLine(edit, Date.now())}`);
    printLines([...editStory(found), ...before]);
  },
  async approve(client, rest, values) {
    if (rest.length !== 0 && rest.length !== 2)
      throw new UsageError('approve takes KIND and KEY of a finding, or clauses alone');
    const [kind, explanationKey] = rest;
    const [service, ...operation] = (values.at ?? '').split(' ');
    const place =
      values.at === undefined ? {} : { service, ...(operation.length > 0 && { operation: operation.join(' ') }) };
    const approve = kind === undefined ? [] : [{ kind, explanationKey, ...place }];
    await write(client, { ...editOf('approved', values, Date.now()), approve } as EditInput, values);
  },
  async pin(client, rest, values) {
    if (rest.length > 0) throw new UsageError(`pin takes clauses only, not '${rest[0]}'`);
    await write(client, editOf('pinned', values, Date.now()), values);
  },
  async block(client, rest, values) {
    const forbid = [...(values.forbid ?? []), ...rest];
    await write(client, editOf('blocked', { ...values, forbid }, Date.now()), values);
  },
  async threshold(client, rest, values) {
    const entry = one(rest, "an entry operation, or '*' for all");
    const scope = entry === '*' ? {} : { entry };
    await write(client, editOf('pinned', { ...values, ...scope }, Date.now()), values);
  },
  async expect(client, rest, values) {
    const expiresMs = expiryOf(values.expires, Date.now());
    await sayWord(client, one(rest, 'an incident'), 'expect-always', { ...values, expiresMs });
  },
  async create(client, rest, values) {
    await write(client, fileOf(rest, values), values);
  },
  async preview(client, rest, values) {
    await write(client, fileOf(rest, values), values, true);
  },
  async draft(client, rest, values) {
    const name = encodeURIComponent(one(rest, "a signature ('POST /checkout #1')"));
    const { edit } = await client.get<{ edit: EditInput }>(`baseline/draft?signature=${name}`);
    if (values.json === true) printJson(edit);
    else printLines(stringify(edit).trimEnd().split('\n'));
  },
  async retire(client, rest, values) {
    const id = one(rest, 'an id');
    const dryRun = values['dry-run'] === true;
    const body = { by: client.by, comment: values.comment ?? '', dryRun, preview: values['no-preview'] !== true };
    show(await client.send<ShownEdit>('POST', `edits/${encodeURIComponent(id)}/retire`, body), values, dryRun);
  },
};
