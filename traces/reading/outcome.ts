/** What became of a span: from its status, exception events and response codes (DETECTION §1, "succeeded"). */
import { AnyValueField, StatusCode } from '../../schemas/otlp/fields.ts';
import { Outcome } from '../segment.ts';
import { Attribute } from './keys.ts';
import { type AttributeSlots, hasText, hasValue, numberIn } from './slots.ts';

/** gRPC codes that are the server's fault (semantic conventions, gRPC spans); the other errors are the caller's. */
const SERVER_FAULT = [
  false,
  false,
  true,
  false,
  true,
  false,
  false,
  false,
  false,
  false,
  false,
  false,
  true,
  true,
  true,
  true,
];

/** gRPC code from its number, or from a name as newer conventions have it; −1 when absent. */
function rpcCode(slots: AttributeSlots): number {
  if (!hasValue(slots, Attribute.rpcStatus)) return -1;
  const code = numberIn(slots, Attribute.rpcStatus);
  if (code >= 0) return code;
  if (slots.types[Attribute.rpcStatus] !== AnyValueField.string) return -1;
  const start = slots.starts[Attribute.rpcStatus]!;
  const length = slots.ends[Attribute.rpcStatus]! - start;
  if (length === 0) return -1;
  const initial = slots.bytes[start]! | 0x20;
  const second = slots.bytes[start + 1]! | 0x20;
  if (length === 2 && initial === 0x6f) return 0; // OK
  // deadline_…, data_loss; internal; un{known,available,implemented} but not unauthenticated.
  if (initial === 0x64) return 4;
  if (initial === 0x69 && (slots.bytes[start + 2]! | 0x20) === 0x74) return 13;
  if (initial === 0x75 && second === 0x6e) return length === 15 ? 16 : 2;
  return 3;
}

export function outcomeOf(
  slots: AttributeSlots,
  statusCode: number,
  kind: number,
  httpStatus: number,
  exception: boolean,
): Outcome {
  if (httpStatus >= 500) return Outcome.error;
  if (httpStatus >= 400) return Outcome.clientError;
  const rpc = rpcCode(slots);
  if (rpc > 0) return SERVER_FAULT[rpc] === true ? Outcome.error : Outcome.clientError;
  if (statusCode === StatusCode.error || exception) return Outcome.error;
  if (statusCode === StatusCode.ok || httpStatus > 0 || rpc === 0 || kind !== 0) return Outcome.ok;
  return Outcome.unknown;
}

/** HTTP response status, 0 when absent or impossible. */
export function httpStatusOf(slots: AttributeSlots): number {
  const status = numberIn(slots, Attribute.httpStatus);
  return status >= 100 && status <= 999 ? status : 0;
}

/** Whether an HTTP request is what the span is about. */
export const isHttp = (slots: AttributeSlots): boolean =>
  hasText(slots, Attribute.httpMethod) || hasText(slots, Attribute.httpRoute) || hasText(slots, Attribute.urlFull);
