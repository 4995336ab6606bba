/** The effective configuration without its secrets, for the log and `config show`. */
import { type SettingSchema, settingSchema } from '../../schemas/config/describe.ts';
import type { Config } from '../../schemas/config/index.ts';

export const MASKED = '***';

/** Names that are secret whatever their section says. */
const SECRET_NAME = /(password|passwd|secret|token|api[-_]?key|credential|private[-_]?key|hmac[-_]?key)s?$/i;

/** `https://user:password@host` keeps its user and host. */
const USERINFO = /([a-z][a-z0-9+.-]*:\/\/[^/\s:@]*):[^/\s@]+@/gi;

/** Query values of URLs: webhook addresses carry tokens there. */
const QUERY_VALUE = /([?&][^=&\s]+=)[^&\s]+/g;

const maskText = (text: string): string => {
  const shown = text.replace(USERINFO, `$1:${MASKED}@`);
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(shown) ? shown.replace(QUERY_VALUE, `$1${MASKED}`) : shown;
};

/** Of several shapes of an object the one that its constant properties name, as `type: slack` does; absent ones are the default. */
function shapeOf(schema: SettingSchema | undefined, value: object): SettingSchema | undefined {
  const shapes = schema?.oneOf ?? schema?.anyOf;
  if (shapes === undefined) return schema;
  const given = value as Readonly<Record<string, unknown>>;
  const fits = ({ properties = {} }: SettingSchema): boolean =>
    Object.entries(properties).every(
      ([key, inner]) => inner.const === undefined || (given[key] ?? inner.default) === inner.const,
    );
  return shapes.find((shape) => shape.properties !== undefined && fits(shape)) ?? schema;
}

function propertyOf(schema: SettingSchema | undefined, key: string): SettingSchema | undefined {
  if (!schema) return undefined;
  const direct = schema.properties?.[key];
  if (direct) return direct;
  for (const inner of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
    const found = propertyOf(inner, key);
    if (found) return found;
  }
  return typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined;
}

function itemOf(schema: SettingSchema | undefined): SettingSchema | undefined {
  if (!schema) return undefined;
  if (schema.items) return schema.items;
  for (const inner of [...(schema.oneOf ?? []), ...(schema.anyOf ?? [])]) {
    const found = itemOf(inner);
    if (found) return found;
  }
  return undefined;
}

function mask(value: unknown, schema: SettingSchema | undefined, name: string): unknown {
  const secret =
    schema?.secret === true || (SECRET_NAME.test(name) && typeof value !== 'number' && typeof value !== 'boolean');
  if (secret) return value === '' || value === null || value === undefined ? value : MASKED;
  if (typeof value === 'string') return maskText(value);
  if (Array.isArray(value)) return value.map((item) => mask(item, itemOf(schema), ''));
  if (typeof value === 'object' && value !== null) {
    const shown: Record<string, unknown> = {};
    const shape = shapeOf(schema, value);
    for (const [key, inner] of Object.entries(value)) shown[key] = mask(inner, propertyOf(shape, key), key);
    return shown;
  }
  return value;
}

/** A copy fit to be shown: every secret is `***`. */
export const maskConfig = (config: Config): unknown => mask(config, settingSchema(), '');
