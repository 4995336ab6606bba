/** What bouncers report of themselves (`POST /v1/usage-metrics`, AllMetrics of CrowdSec's localapi_swagger.yaml), checked. */
import { z } from 'zod';

const short = z.string().max(255);

const item = z.object({
  name: short,
  value: z.number(),
  unit: short,
  labels: z.record(z.string().max(255), short).nullish(),
});

const component = z.object({
  version: short,
  utc_startup_timestamp: z.number().int(),
  os: z.object({ name: short, version: short }).nullish(),
  feature_flags: z.array(z.string()).nullish(),
  type: short.nullish(),
  name: short.nullish(),
  last_pull: z.number().int().nullish(),
  metrics: z
    .array(
      z.object({
        items: z.array(item).max(10_000),
        meta: z.object({ window_size_seconds: z.number().int(), utc_now_timestamp: z.number().int() }),
      }),
    )
    .max(1_000)
    .nullish(),
});

const allMetrics = z.object({
  remediation_components: z.array(component).nullish(),
  log_processors: z.array(z.unknown()).nullish(),
});

export interface Reported {
  readonly name: 'processed' | 'dropped';
  readonly unit: 'byte' | 'packet' | 'request';
  readonly value: number;
}

const NAMES: readonly string[] = ['processed', 'dropped'];
const UNITS: readonly string[] = ['byte', 'packet', 'request'];

/** What of it is counted here; or status and message of an answer, as CrowdSec gives them. */
export function readUsage(
  body: unknown,
): readonly Reported[] | { readonly status: 400 | 422; readonly message: string } {
  const parsed = allMetrics.safeParse(body);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { status: 422, message: `validation failure: ${issue?.path.join('.')}: ${issue?.message}` };
  }
  const components = parsed.data.remediation_components ?? [];
  if (components.length === 0) return { status: 400, message: 'Missing remediation component data' };
  if (components.length > 1) return { status: 400, message: 'Payload has more than one remediation component' };
  const reported: Reported[] = [];
  for (const { items } of components[0]!.metrics ?? [])
    for (const { name, unit, value } of items)
      if (NAMES.includes(name) && UNITS.includes(unit) && value >= 0 && value <= Number.MAX_SAFE_INTEGER)
        reported.push({ name, unit, value } as Reported);
  return reported;
}
