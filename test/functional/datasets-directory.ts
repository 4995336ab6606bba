/**
 * Data of other projects, which is not carried here: SPANWARDEN_DATASETS names its directory. Without it, or without the file,
 * one loud line, and a test that is skipped; REQUIRE=datasets makes that a failure.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.env.SPANWARDEN_DATASETS;
const required = (process.env.REQUIRE ?? '').split(',').includes('datasets');

/** Path of `name` in the directory; undefined = it is not there and nobody insists. */
export function datasetFile(name: string, what: string): string | undefined {
  const path = directory === undefined ? undefined : join(directory, name);
  if (path !== undefined && existsSync(path)) return path;
  if (required) throw new Error(`REQUIRE=datasets, but there is no ${name} in SPANWARDEN_DATASETS`);
  console.error(`NOT MEASURED: ${what}; set SPANWARDEN_DATASETS to a directory with ${name}`);
  return undefined;
}
