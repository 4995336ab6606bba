/** A problem of the configuration in one line: where it stands, what is wrong, what was probably meant. */
import type { z } from 'zod';
import type { Setting } from '../../schemas/config/describe.ts';
import { nearest } from './nearest.ts';

/** Known keys directly below `path`, groups included. */
function keysBelow(path: string, settings: readonly Setting[]): string[] {
  const prefix = path === '' ? '' : `${path}.`;
  const keys = new Set<string>();
  for (const setting of settings)
    if (setting.path.startsWith(prefix)) keys.add(setting.path.slice(prefix.length).split('.')[0]!);
  return [...keys];
}

function suggestion(path: string, key: string, settings: readonly Setting[], inside: readonly string[]): string {
  const full = (name: string): string => (path === '' ? name : `${path}.${name}`);
  // the same key in another section is likelier meant than a similar one in this
  const elsewhere = settings.find((setting) => setting.path.endsWith(`.${key}`));
  if (elsewhere) return elsewhere.path;
  const siblings = inside.length > 0 ? inside : keysBelow(path, settings);
  const sibling = nearest(key, siblings);
  if (sibling !== '') return full(sibling);
  return nearest(
    full(key),
    settings.map((setting) => setting.path),
  );
}

/** Keys named by the schema of the value itself, for objects inside lists and alternatives. */
function keysInside(path: readonly PropertyKey[], settings: readonly Setting[]): string[] {
  const text = path.map(String);
  for (const setting of settings) {
    const own = setting.path.split('.');
    if (own.length > text.length || own.some((key, i) => key !== text[i])) continue;
    let schemas = [setting.schema];
    for (const key of text.slice(own.length))
      schemas = schemas
        .flatMap((one) => [one, ...(one.oneOf ?? []), ...(one.anyOf ?? [])])
        .flatMap((one) => (/^\d+$/.test(key) ? (one.items ?? []) : (one.properties?.[key] ?? [])));
    return schemas
      .flatMap((one) => [one, ...(one.oneOf ?? []), ...(one.anyOf ?? [])])
      .flatMap((one) => Object.keys(one.properties ?? {}));
  }
  return [];
}

/** One line a problem. `sourceOf` names the file or variable a path came from, '' when unknown. */
export function describeIssue(
  issue: z.core.$ZodIssue,
  settings: readonly Setting[],
  sourceOf: (path: string) => string,
): string[] {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const inside = keysInside(issue.path, settings);
    return issue.keys.map((key) => {
      const full = path === '' ? key : `${path}.${key}`;
      return `${full} is not a setting; the nearest known one is ${suggestion(path, key, settings, inside)}`;
    });
  }
  const source = sourceOf(path);
  const known = settings.find((setting) => setting.path === path);
  const wanted = known ? ` (wanted: ${known.form}${known.unit === '' ? '' : `, ${known.unit}`})` : '';
  return [`${path}${source === '' ? '' : ` from ${source}`}: ${issue.message}${wanted}`];
}
