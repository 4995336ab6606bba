/** Configuration of client attribution: which proxies may say who the client is (CONVENTIONS "Who the client is"). */
import { z } from 'zod';
import { isRange } from './ranges.ts';

const cidrs = (text: string) =>
  z
    .array(
      z
        .string()
        .refine(
          (text) => text === 'unix:' || isRange(text),
          'must be an address, a range like 10.0.0.0/8, or unix: for sockets of the own host',
        )
        .refine(
          (range) => !/\/0+$/.test(range),
          'trusts everybody, so that a client could name any other: use trustedHops',
        ),
    )
    .describe(text);

const hops = (text: string) => z.number().int().min(0).max(32).describe(text).meta({ unit: 'hops' });
const singleValueHeaders = (text: string) =>
  z
    .array(
      z.strictObject({
        header: z.string().min(1).toLowerCase().describe('Header that holds one address, such as cf-connecting-ip'),
        proxies: cidrs('Proxies that set it; it is believed from no other peer'),
      }),
    )
    .describe(text);
const forwarding = (text: string) => z.enum(['auto', 'x-forwarded-for', 'forwarded']).describe(text);

export const attributionSection = z
  .strictObject({
    trustedProxies: cidrs(
      'Addresses and ranges of your own proxies and load balancers; unix: for one on the same host',
    ).default([]),
    trustedHops: hops('Number of nearest hops that are your own proxies whatever their address').default(0),
    singleValueHeaders: singleValueHeaders('Headers that name the client alone, and who may set them').default([]),
    forwarding: forwarding(
      'Which header your proxies append to; auto reads X-Forwarded-For, and Forwarded where it is missing',
    ).default('auto'),
    services: z
      .record(
        z.string(),
        z.strictObject({
          trustedProxies: cidrs('In place of trustedProxies').optional(),
          trustedHops: hops('In place of trustedHops').optional(),
          singleValueHeaders: singleValueHeaders('In place of singleValueHeaders').optional(),
          forwarding: forwarding('In place of forwarding').optional(),
        }),
      )
      .default({})
      .describe('Other values for requests that enter at these services'),
    attributeLengthLimit: z
      .number()
      .int()
      .min(0)
      .max(10_000_000)
      .default(0)
      .describe(
        'OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT of the services at your edge, 0 = none: a list of proxies that was cut lost its right end, which alone can be believed',
      )
      .meta({ unit: 'characters' }),
    memoEntries: z
      .number()
      .int()
      .min(0)
      .max(10_000_000)
      .default(20_000)
      .describe('Resolved clients remembered, so that the same headers are not read again')
      .meta({ unit: 'entries' }),
  })
  .prefault({});

export type AttributionConfig = z.infer<typeof attributionSection>;

/**
 * Where proxies stand in front and nothing says which header they append to. Both headers are read there, and as proxies pass the other
 * one on as the client sent it, any client can make them disagree: nobody can tell which is right from one request, so that
 * confidence stays below what may be acted on. Paths of the settings.
 */
export function unsaidForwarding(config: AttributionConfig): readonly (readonly string[])[] {
  const { forwarding, trustedProxies, trustedHops, services } = config;
  const isUnsaid = (said: AttributionConfig['forwarding'], proxies: readonly string[], hops: number): boolean =>
    said === 'auto' && (proxies.length > 0 || hops > 0);
  // saying it once says it for every service that says nothing else
  const everywhere = isUnsaid(forwarding, trustedProxies, trustedHops);
  const unsaid = Object.entries(services).filter(
    ([, own]) =>
      !(everywhere && own.forwarding === undefined) &&
      isUnsaid(own.forwarding ?? forwarding, own.trustedProxies ?? trustedProxies, own.trustedHops ?? trustedHops),
  );
  return [...(everywhere ? [['forwarding']] : []), ...unsaid.map(([name]) => ['services', name, 'forwarding'])].map(
    (path) => ['attribution', ...path],
  );
}
