/** Validators that are not ours: the published schema by ajv, as receivers have it and with every undeclared field an error. */
import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

export const published: object = JSON.parse(
  readFileSync(new URL('../../../schemas/alerts/alert.schema.json', import.meta.url), 'utf8'),
);

export function compile(schema: object): ValidateFunction {
  const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true });
  addFormats.default(ajv);
  return ajv.compile(schema);
}

/** The same schema, closed: what is sent is declared. The conditions at the top only name parts, and stay open. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const inner = Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [
      key,
      key === 'if' || key === 'then' || key === 'else' ? value : closed(value),
    ]),
  );
  const isObject = inner.properties !== undefined && inner.type === 'object';
  return isObject ? { ...inner, additionalProperties: false } : inner;
}

export const closedSchema = closed(published) as object;

/** Passes, or says why not. */
export function errorsOf(validate: ValidateFunction, value: unknown): string {
  return validate(value) ? '' : JSON.stringify(validate.errors);
}
