/** Describes every setting from the schema itself: what the documents, the environment and the messages are made of. */
import { z } from 'zod';
import { environmentName } from './environment-name.ts';
import { configSchema } from './index.ts';

/** The part of JSON Schema that zod writes for us, with our own annotations. */
export interface SettingSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly additionalProperties?: boolean | SettingSchema;
  readonly items?: SettingSchema;
  readonly oneOf?: readonly SettingSchema[];
  readonly anyOf?: readonly SettingSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly description?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly unit?: string;
  readonly secret?: boolean;
}

export interface Setting {
  /** `log.spansRetentionMs` */
  readonly path: string;
  readonly section: string;
  readonly environment: string;
  readonly text: string;
  /** `ms`, `bytes`, …; '' when it has none. */
  readonly unit: string;
  /** `integer 1…1024`, `one of a, b`, `list`, … */
  readonly form: string;
  /** Undefined when there is no default. */
  readonly byDefault: unknown;
  readonly secret: boolean;
  readonly schema: SettingSchema;
}

/** The schema of what a user may write, as JSON Schema. */
export const settingSchema = (schema: z.ZodType = configSchema): SettingSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as SettingSchema;

const isGroup = (schema: SettingSchema): boolean => schema.properties !== undefined;

function formOf(schema: SettingSchema): string {
  if (schema.enum) return `one of ${schema.enum.map(String).join(', ')}`;
  const alternatives = schema.oneOf ?? schema.anyOf;
  if (alternatives) return [...new Set(alternatives.map(formOf))].join(' or ');
  if (schema.const !== undefined) return String(schema.const);
  const type = typeof schema.type === 'string' ? schema.type : (schema.type ?? ['value']).join(' or ');
  if (type === 'integer' || type === 'number') {
    const low = schema.minimum ?? Number.MIN_SAFE_INTEGER;
    const high = schema.maximum ?? Number.MAX_SAFE_INTEGER;
    if (low > Number.MIN_SAFE_INTEGER && high < Number.MAX_SAFE_INTEGER) return `${type} ${low}…${high}`;
    if (low > Number.MIN_SAFE_INTEGER) return `${type} ≥ ${low}`;
    if (high < Number.MAX_SAFE_INTEGER) return `${type} ≤ ${high}`;
    return type;
  }
  if (type === 'array') return `list of ${schema.items ? formOf(schema.items) : 'values'}`;
  if (type === 'boolean') return 'true or false';
  return type === 'string' ? 'text' : type;
}

function* walk(schema: SettingSchema, path: string): Generator<Setting> {
  for (const [key, inner] of Object.entries(schema.properties ?? {})) {
    const here = path === '' ? key : `${path}.${key}`;
    if (isGroup(inner)) yield* walk(inner, here);
    else
      yield {
        path: here,
        section: here.split('.')[0]!,
        environment: environmentName(here),
        text: inner.description ?? '',
        unit: inner.unit ?? '',
        form: formOf(inner),
        byDefault: inner.default,
        secret: inner.secret ?? false,
        schema: inner,
      };
  }
}

/** All settings in the order of the schema. */
export const describeConfig = (schema: z.ZodType = configSchema): Setting[] => [...walk(settingSchema(schema), '')];
