/** What a destination is told of. */
import { expect, test } from 'vitest';
import { createFilter } from '../../../responder/alerts/filter.ts';
import { type Incident, NO_STORY } from '../../../schemas/alerts/incident.ts';
import { alertsSection } from '../../../schemas/config/alerts.ts';
import { incidentOf } from './incidents.ts';

const wants = (filter: object) =>
  createFilter(
    alertsSection.parse({
      destinations: [{ type: 'slack', name: 'a', url: 'https://hooks.slack.com/services/x', ...filter }],
    }).destinations[0]!,
  );
const stagesTo = (...stages: Incident['story']['stages'][number]['stage'][]): Partial<Incident> => ({
  story: {
    ...NO_STORY,
    stages: stages.map((stage) => ({ stage, technique: '', by: '', firstMs: 0, lastMs: 0, count: 1 })),
  },
});

test.each<[object, Partial<Incident>, boolean]>([
  [{}, {}, true],
  [{}, { class: 'operational' }, false],
  [{ classes: ['operational', 'security'] }, { class: 'operational' }, true],
  [{ kinds: ['egress'] }, {}, false],
  [{ kinds: ['egress', 'statement'] }, {}, true],
  [{ kinds: ['release'], classes: ['inventory'] }, { class: 'inventory', kind: 'release' }, true],
  [{ services: ['orders'] }, {}, false],
  [{ services: ['gateway'] }, {}, true],
  [{ services: ['cat*'] }, {}, true],
  [{ services: ['atalog'] }, {}, false],
  [{ services: ['*'] }, {}, true],
  [{ minSeverity: 3 }, {}, true],
  [{ minSeverity: 3.1 }, {}, false],
  [{ minStage: 'exploitation' }, stagesTo('probing', 'exploitation'), true],
  [{ minStage: 'exploitation' }, stagesTo('exfiltration', 'probing'), true],
  [{ minStage: 'exploitation' }, stagesTo('probing'), false],
  [{ minStage: 'reconnaissance' }, { story: NO_STORY }, false],
  [{ minRisk: 72 }, {}, true],
  [{ minRisk: 73 }, {}, false],
  [{ minRisk: 10, kinds: ['egress'] }, {}, false],
])('%j of %j: %s', (filter, incident, told) => expect(wants(filter)(incidentOf(incident))).toBe(told));
