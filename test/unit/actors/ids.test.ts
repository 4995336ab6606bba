/** Ids in words are read as they were written. */
import { expect, it } from 'vitest';
import { readId, writeId } from '../../../responder/actors/kept/ids.ts';

it('ids are read as they were written, and what is no id is bounded', () => {
  const words = new Uint32Array(6).fill(0xffffffff);
  for (const id of ['0af7651916cd43dd8448eb211c80319c', '00000000000000000000000000000001', 'f'.repeat(32)]) {
    writeId(words, 1, 4, id);
    expect(readId(words, 1, 4)).toBe(id);
  }
  writeId(words, 1, 4, '0AF7651916CD43DD8448EB211C80319C');
  expect(readId(words, 1, 4)).toBe('0af7651916cd43dd8448eb211c80319c');
  for (const none of ['', '0'.repeat(32)]) {
    writeId(words, 1, 4, none);
    expect(readId(words, 1, 4)).toBe('');
  }
  writeId(words, 1, 4, `not an id at all: ${'\u{1f600}'.repeat(1_000)}`);
  expect(readId(words, 1, 4)).toMatch(/^[0-9a-f]{32}$/);
  expect([words[0], words[5]]).toEqual([0xffffffff, 0xffffffff]);
});
