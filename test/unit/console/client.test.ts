/** What commands say when the console gives no answer. */
import { expect, it } from 'vitest';
import { failed } from '../../../cli/console/client.ts';
import { SpanwardenError } from '../../../runtime/errors.ts';

const URL = 'http://127.0.0.1:9465';
const late = new DOMException('The operation was aborted due to timeout', 'TimeoutError');

it('an answer that is late is not a console that is away, and what was asked may have been done', () => {
  expect(failed(URL, 'POST', late).message).toMatch(/did not answer within 5 min.*edits list/);
  expect(failed(URL, undefined, late).message).not.toContain('may have been');
  expect(failed(URL, 'POST', new TypeError('fetch failed')).message).toContain('no console answers');
});

it('a file that cannot be read to its end is what is told', () => {
  const own = new SpanwardenError('INPUT_UNREADABLE', 'the file is cut short');
  expect(failed(URL, 'POST', new TypeError('fetch failed', { cause: own }))).toBe(own);
});
