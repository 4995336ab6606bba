/** Attribution for a gateway that asks: the same configuration as for spans, but the socket peer is the gateway, and is trusted. */
import type { AttributionConfig } from '../../schemas/config/attribution.ts';
import { type Attribution, createAttribution } from '../../traces/attribution/client.ts';

const trusted = (hops: number): number => Math.max(1, hops);

export const createGatewayAttribution = (config: AttributionConfig): Attribution =>
  createAttribution({
    ...config,
    trustedHops: trusted(config.trustedHops),
    services: Object.fromEntries(
      Object.entries(config.services).map(([name, service]) => [
        name,
        { ...service, ...(service.trustedHops !== undefined && { trustedHops: trusted(service.trustedHops) }) },
      ]),
    ),
    // headers come as they are, not through an SDK that may cut them
    attributeLengthLimit: 0,
  });
