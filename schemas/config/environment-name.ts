/** The environment variable of a setting. */

/** `collector.grpcPort` → `SPANWARDEN_COLLECTOR_GRPC_PORT`. */
export const environmentName = (setting: string): string =>
  `SPANWARDEN_${setting
    .replaceAll('.', '_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()}`;
