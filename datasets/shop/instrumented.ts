/**
 * The instrumented modules. OpenTelemetry patches what is loaded by `require` after its SDK has started; so they are
 * required here, and this file is imported only after `startTelemetry`.
 */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export const http = require('node:http') as typeof import('node:http');
export const grpc = require('@grpc/grpc-js') as typeof import('@grpc/grpc-js');
export const pg = require('pg') as typeof import('pg');
/** A function: only services that use Kafka load its client. */
export const requireKafka = (): typeof import('kafkajs') => require('kafkajs') as typeof import('kafkajs');
