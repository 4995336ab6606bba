/** A destination of the configuration: what it wants to hear of, and how it is told. */
import type { AlertDestination, AlertsConfig } from '../../schemas/config/alerts.ts';
import { createAlertmanager, createAlertmanagerWebhook } from './alertmanager.ts';
import { createFilter, mayFitLater } from './filter.ts';
import type { OutboxDestination } from './outbox.ts';
import { createPagerDuty } from './pagerduty.ts';
import { type Format, type Outgoing, post } from './post.ts';
import type { AttemptOutcome } from './retry.ts';
import { createSlack } from './slack.ts';
import { createTargetGuard, type TargetGuard } from './target-guard.ts';
import { createWebhook } from './webhook.ts';

export interface DestinationDeps {
  readonly now: () => number;
  /** Default: by the system's resolver, guarded as the configuration says. */
  readonly guard?: TargetGuard;
  /** Default: after `timeoutMs`. */
  readonly deadline?: () => AbortSignal;
}

export function createFormat(destination: AlertDestination): Format {
  switch (destination.type) {
    case 'webhook':
      return createWebhook(destination);
    case 'alertmanager':
      return createAlertmanager(destination);
    case 'alertmanager-webhook':
      return createAlertmanagerWebhook(destination);
    case 'pagerduty':
      return createPagerDuty(destination);
    case 'slack':
      return createSlack(destination);
  }
}

/** Those that show what is open and what is not want to hear of the end, unless they are told not to. */
const KEEPS_STATE: ReadonlySet<AlertDestination['type']> = new Set([
  'alertmanager',
  'alertmanager-webhook',
  'pagerduty',
]);

export function createDestinations(
  config: Pick<AlertsConfig, 'destinations' | 'timeoutMs' | 'privateTargets' | 'resolve'>,
  deps: DestinationDeps,
): OutboxDestination[] {
  const { timeoutMs } = config;
  const guard = deps.guard ?? createTargetGuard(config.privateTargets);
  const deadline = deps.deadline ?? (() => AbortSignal.timeout(timeoutMs));
  return config.destinations.map((destination) => {
    const { name, type } = destination;
    const format = createFormat(destination);
    return {
      name,
      wants: createFilter(destination),
      mayWantLater: mayFitLater(destination),
      digest: 'digest' in destination && destination.digest,
      resolve: destination.resolve ?? (KEEPS_STATE.has(type) || config.resolve),
      acknowledge: type === 'pagerduty',
      hearsOfMembers: type === 'webhook',
      async post(alert, signal): Promise<AttemptOutcome> {
        let outgoing: Outgoing;
        try {
          outgoing = format(alert, deps.now());
        } catch (error) {
          // a body of another release: no other attempt makes more of it
          return { kind: 'refused', httpStatus: 0, error: `the alert cannot be told: ${(error as Error).message}` };
        }
        return post(outgoing, { now: deps.now, guard, deadline, timeoutMs }, signal);
      },
    };
  });
}
