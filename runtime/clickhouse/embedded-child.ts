/**
 * Child process: one in-process ClickHouse (libchdb) on loopback. Lives exactly as long as its stdin stays open, so a
 * parent that dies, however, takes it along. Arguments: path of the library, then ClickHouse's own options.
 */
import { rmSync, writeSync } from 'node:fs';
import { DataType, isNullPointer, load, open, restorePointer, wrapPointer } from 'ffi-rs';

const [library = '', ...options] = process.argv.slice(2);
open({ library: 'chdb', path: library });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {}); // the parent decides: it closes our stdin
setInterval(() => {}, 1 << 30); // ffi-rs's threads do not keep the loop alive

const argv = ['clickhouse', ...options];
const result = await (load({
  library: 'chdb',
  funcName: 'chdb_query_cmdline',
  runInNewThread: true,
  retType: DataType.External,
  paramsType: [DataType.I32, DataType.StringArray],
  paramsValue: [argv.length, argv],
}) as unknown as Promise<never>);

rmSync(process.cwd(), { recursive: true, force: true }); // the run directory; also when the parent is gone
// NULL without an error: as a String it would be dereferenced, and the process would die here
const message = load({
  library: 'chdb',
  funcName: 'chdb_result_error',
  retType: DataType.External,
  paramsType: [DataType.External],
  paramsValue: [result],
}) as never;
if (!isNullPointer(message)) {
  const [text] = restorePointer({ retType: [DataType.String], paramsValue: wrapPointer([message]) });
  writeSync(2, `${String(text)}\n`);
  process.exit(1);
}
process.exit(0);
