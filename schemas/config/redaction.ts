/** Configuration of redaction (CONVENTIONS "Redaction"): what never leaves in the clear. */
import { z } from 'zod';

const patterns = (text: string, byDefault: readonly string[]) =>
  z
    .array(z.string().min(1).max(200))
    .default([...byDefault])
    .describe(text);

/** Names whose values are secrets by themselves. `-`, `_` and `.` are the same; matched from any `.` on. */
export const SENSITIVE_NAMES = [
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  '*token*',
  '*secret*',
  '*password*',
  '*passwd*',
  '*api[-_]key*',
  '*apikey*',
  '*private[-_]key*',
  '*session[-_]id*',
  '*sessionid*',
  '*sessid*',
] as const;

export const redactionSection = z
  .strictObject({
    mode: z
      .enum(['mask', 'hash', 'keep'])
      .default('mask')
      .describe(
        'What becomes of a secret before anything leaves: `mask`: replaced; `hash`: HMAC, so that equal values stay equal; `keep`: left',
      ),
    key: z
      .string()
      .default('')
      .describe(
        'Key of the installation, for `hash` (at least 16 characters) and for the hashes a baseline holds in place of values; changing it means learning anew',
      )
      .meta({ secret: true }),
    attributes: patterns(
      'Attribute names whose values are secrets; `*` any text, `[-_]` one of these',
      SENSITIVE_NAMES,
    ),
    parameters: patterns(
      'Names of query, body and statement parameters whose values are secrets; added to `attributes`',
      [],
    ),
    allow: patterns('Names that are no secrets although a pattern above says so', [
      'gen_ai.usage.*',
      '*max[-_]tokens',
      '*token[-_]count',
    ]),
    values: z
      .boolean()
      .default(true)
      .describe('Also replace values shaped like a JSON web token or a card number, wherever they stand'),
  })
  .prefault({})
  .refine((section) => section.mode !== 'hash' || section.key.length >= 16, {
    path: ['key'],
    message: 'mode `hash` needs a key of at least 16 characters',
  });

export type RedactionConfig = z.infer<typeof redactionSection>;
