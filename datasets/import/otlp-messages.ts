/**
 * OTLP messages with four bytes of big-endian length before each: what the Collector's file exporter writes with
 * `format: proto` (protobuf) or `compression: zstd` (each message compressed, JSON or protobuf): its file_writer.go,
 * exportMessageAsBuffer.
 */
import { zstdDecompressSync } from 'node:zlib';
import { otlpText } from '../../runtime/files/otlp-lines.ts';
import type { TracesPart } from '../../runtime/files/trace-records.ts';
import { isZstd } from '../../runtime/files/zstd-frames.ts';

/** Parts of one input; `name` is what it is called. What follows a damaged length cannot be found again. */
export async function* otlpMessages(
  name: string,
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<TracesPart> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let wanted = 4;
  let length = -1;
  let number = 0;
  let byte = 0;
  for await (const chunk of chunks) {
    held.push(chunk);
    heldBytes += chunk.length;
    while (heldBytes >= wanted) {
      const all = held.length === 1 ? held[0]! : Buffer.concat(held);
      const rest = all.subarray(wanted);
      if (length < 0) {
        length = all.readUInt32BE(0);
        if (length > maxBytes) {
          yield {
            where: `${name}: byte ${byte}`,
            problems: [`a length of ${length} bytes: damaged; the rest is not read`],
          };
          return;
        }
      } else {
        yield readMessage(`${name}: message ${++number} at byte ${byte}`, all.subarray(0, wanted), maxBytes);
        byte += wanted + 4;
        length = -1;
      }
      wanted = length < 0 ? 4 : length;
      held = rest.length === 0 ? [] : [rest];
      heldBytes = rest.length;
    }
  }
  if (heldBytes > 0 || length >= 0)
    yield { where: `${name}: byte ${byte}`, problems: ['the input ends inside a message'] };
}

function readMessage(where: string, message: Buffer, maxBytes: number): TracesPart {
  let body: Buffer = message;
  if (isZstd(message)) {
    try {
      body = zstdDecompressSync(message, { maxOutputLength: maxBytes });
    } catch (error) {
      return { where, problems: [`it cannot be decompressed: ${(error as Error).message}`] };
    }
  }
  return body[0] === 0x7b ? otlpText(body.toString('utf8'), where) : { where, bytes: body };
}
