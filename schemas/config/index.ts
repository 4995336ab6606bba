/** The whole configuration, assembled once from one file a section; the order is that of the documents. */
import { z } from 'zod';
import { actorsSection } from './actors.ts';
import { alertsSection } from './alerts.ts';
import { assemblySection } from './assembly.ts';
import { attributionSection } from './attribution.ts';
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

export const configSchema = z.strictObject({
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

/** Every value set: from the file, the environment, the command line, or by default. */
export type Config = z.infer<typeof configSchema>;

/** Variables that other software gives the same meaning, and the setting each stands for. */
export const WELL_KNOWN_VARIABLES: Readonly<Record<string, string>> = {
  CLICKHOUSE_URL: 'clickhouse.url',
  KAFKA_BROKERS: 'kafka.brokers',
};
