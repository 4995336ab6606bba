/** The whole configuration, assembled once from one file a section; the order is that of the documents. */
import { z } from 'zod';
import { actorsSection } from './actors.ts';
import { alertsSection } from './alerts.ts';
import { assemblySection } from './assembly.ts';
import { attributionSection, unsaidForwarding } from './attribution.ts';
import { clickhouseSection } from './clickhouse.ts';
import { collectorSection } from './collector.ts';
import { consoleSection } from './console.ts';
import { detectorSection } from './detector.ts';
import { httpSection } from './http.ts';
import { kafkaSection } from './kafka.ts';
import { learningSection } from './learning.ts';
import { logSection } from './log.ts';
import { readingSection } from './reading.ts';
import { redactionSection } from './redaction.ts';
import { incidentsSection } from './responder.ts';
import { responseSection } from './response.ts';
import { telemetrySection } from './telemetry.ts';
import { trainerSection } from './trainer.ts';

const sections = z.strictObject({
  log: logSection,
  kafka: kafkaSection,
  collector: collectorSection,
  assembly: assemblySection,
  reading: readingSection,
  attribution: attributionSection,
  learning: learningSection,
  trainer: trainerSection,
  detector: detectorSection,
  actors: actorsSection,
  incidents: incidentsSection,
  alerts: alertsSection,
  response: responseSection,
  console: consoleSection,
  redaction: redactionSection,
  clickhouse: clickhouseSection,
  http: httpSection,
  telemetry: telemetrySection,
});

/** What no section can see alone. */
export const configSchema = sections.superRefine(({ response, attribution }, context) => {
  if (response.mode !== 'enforce') return;
  for (const path of unsaidForwarding(attribution))
    context.addIssue({
      code: 'custom',
      path: [...path],
      message:
        "must name the header that your proxies append to (x-forwarded-for or forwarded) while response.mode is 'enforce': with auto any client keeps itself from being decided about by sending the other one",
    });
});

/** Every value set: from the file, the environment, the command line, or by default. */
export type Config = z.infer<typeof configSchema>;

/** Variables that other software gives the same meaning, and the setting each stands for. */
export const WELL_KNOWN_VARIABLES: Readonly<Record<string, string>> = {
  CLICKHOUSE_URL: 'clickhouse.url',
  KAFKA_BROKERS: 'kafka.brokers',
};
