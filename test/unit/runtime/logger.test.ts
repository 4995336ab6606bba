/** Log lines: JSON with a level in words, a readable time, errors with their code. */
import { expect, test } from 'vitest';
import { SpanwardenError } from '../../../runtime/errors.ts';
import { createLogger } from '../../../runtime/telemetry/logger.ts';

test('a line is one JSON object with name, level, time and the error code', () => {
  const lines: string[] = [];
  const logger = createLogger({ name: 'detector', level: 'info' }, { stream: { write: (line) => lines.push(line) } });
  logger.debug('not shown');
  logger.error({ err: new SpanwardenError('LOG_FULL', 'full') }, 'cannot append');
  expect(lines).toHaveLength(1);
  const line = JSON.parse(lines[0]!);
  expect(line).toMatchObject({ name: 'detector', level: 'error', msg: 'cannot append', err: { code: 'LOG_FULL' } });
  expect(Date.parse(line.time)).toBeGreaterThan(0);
});
