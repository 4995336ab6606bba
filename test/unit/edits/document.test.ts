/** A document with options beside it. */
import { expect, it } from 'vitest';
import { withGiven } from '../../../cli/edits/build.ts';
import type { EditInput } from '../../../schemas/baselines/edit.ts';

const DOCUMENT: EditInput = { state: 'pinned', owner: 'ann', comment: 'as learned', expiresMs: 5, required: [] };

it('what is given stands over what the file says, and nothing else changes', () => {
  expect(withGiven(DOCUMENT, {}, 0)).toEqual(DOCUMENT);
  expect(withGiven(DOCUMENT, { owner: 'bob', expires: '30m', comment: '' }, 1_000)).toEqual({
    ...DOCUMENT,
    owner: 'bob',
    expiresMs: 1_801_000,
    comment: '',
  });
  expect(withGiven(DOCUMENT, { expires: 'never' }, 0).expiresMs).toBeNull();
});

it('a clause beside a file is refused, not left out', () => {
  expect(() => withGiven(DOCUMENT, { forbid: ['a -> b'] }, 0)).toThrow('--forbid');
  expect(() => withGiven(DOCUMENT, { expires: 'soon' }, 0)).toThrow('--expires');
});
