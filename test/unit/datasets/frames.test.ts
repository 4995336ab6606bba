import { describe, expect, it } from 'vitest';
import { createFrameReader, type Unit } from '../../../datasets/shop/database/frames.ts';

function message(type: string, body: string): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0);
  head.writeInt32BE(4 + body.length, 1);
  return Buffer.concat([head, Buffer.from(body)]);
}

function untyped(code: number, body = ''): Buffer {
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(code, 4);
  return Buffer.concat([head, Buffer.from(body)]);
}

const startup = untyped(196_608, 'user\0shop\0\0');
const read = (...chunks: Uint8Array[]): Unit[] => {
  const reader = createFrameReader();
  return chunks.flatMap((chunk) => reader.push(chunk));
};

describe('frames of the PostgreSQL protocol', () => {
  const extended = Buffer.concat(['P', 'B', 'D', 'E', 'S'].map((type) => message(type, type === 'S' ? '' : 'x')));

  it('keep Parse to Sync together, so that no other connection comes in between', () => {
    const units = read(Buffer.concat([startup, extended, message('Q', 'select 1\0')]));
    expect(units.map(({ kind }) => kind)).toEqual(['startup', 'query', 'query']);
    expect(units[1]).toEqual({ kind: 'query', bytes: Buffer.from(extended) });
  });

  it('come out the same however the bytes are cut', () => {
    const bytes = Buffer.concat([untyped(80_877_103), startup, extended, message('X', '')]);
    const whole = read(bytes);
    expect(whole.map(({ kind }) => kind)).toEqual(['encryption', 'startup', 'query', 'end']);
    const single = read(...Array.from(bytes, (byte) => Uint8Array.of(byte)));
    expect(JSON.stringify(single)).toBe(JSON.stringify(whole));
  });
});
