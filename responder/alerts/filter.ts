/** What a destination is told of: class, kind, service, severity, stage of the kill chain, risk; all of them must hold. */
import type { Incident } from '../../schemas/alerts/incident.ts';
import type { AlertDestination } from '../../schemas/config/alerts.ts';
import { STAGES } from '../../schemas/log/kill-chain.ts';

export type Wants = Pick<AlertDestination, 'classes' | 'kinds' | 'services' | 'minSeverity' | 'minStage' | 'minRisk'>;

export function createFilter(wants: Wants): (incident: Incident) => boolean {
  const classes = new Set<string>(wants.classes);
  const kinds = new Set<string>(wants.kinds);
  const least = wants.minStage === undefined ? -1 : STAGES.indexOf(wants.minStage);
  return (incident) =>
    classes.has(incident.class) &&
    (kinds.size === 0 || kinds.has(incident.kind)) &&
    incident.severity >= wants.minSeverity &&
    incident.story.risk >= wants.minRisk &&
    incident.story.stages.reduce((furthest, { stage }) => Math.max(furthest, STAGES.indexOf(stage)), -1) >= least &&
    (wants.services.length === 0 ||
      [incident.service, ...incident.services].some((service) => wants.services.some((one) => named(one, service))));
}

/** Whether an incident that does not fit now may fit later: risk, stage, severity and services grow. */
export const mayFitLater = ({ kinds, services, minSeverity, minStage, minRisk }: Wants): boolean =>
  minRisk > 0 || minSeverity > 0 || minStage !== undefined || kinds.length > 0 || services.length > 0;

/** `pay*` is any that begins so. */
const named = (wanted: string, service: string): boolean =>
  wanted.endsWith('*') ? service.startsWith(wanted.slice(0, -1)) : wanted === service;
