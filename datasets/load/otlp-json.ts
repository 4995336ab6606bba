/**
 * OTLP protobuf as OTLP/JSON lines, the Collector's file form: ids in hex, 64-bit integers as strings. Written plainly and
 * apart from the product's own reader of the wire, so that a recording also checks that one.
 */

type Field = { readonly number: number; readonly wire: number; readonly bytes: Buffer; readonly value: bigint };
type Json = Record<string, unknown>;

function* fieldsOf(message: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at++];
      if (byte === undefined) throw new RangeError('truncated message');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
  };
  while (at < message.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    let bytes: Buffer = Buffer.alloc(0);
    let value = 0n;
    if (wire === 0) value = varint();
    else {
      const length = wire === 1 ? 8 : wire === 5 ? 4 : Number(varint());
      if (at + length > message.length) throw new RangeError('truncated message');
      bytes = message.subarray(at, at + length);
      at += length;
      if (wire === 1) value = bytes.readBigUInt64LE();
      else if (wire === 5) value = BigInt(bytes.readUInt32LE());
    }
    yield { number: tag >>> 3, wire, bytes, value };
  }
}

function anyValue(message: Buffer): Json {
  for (const { number, bytes, value } of fieldsOf(message)) {
    if (number === 1) return { stringValue: bytes.toString('utf8') };
    if (number === 2) return { boolValue: value !== 0n };
    if (number === 3) return { intValue: String(BigInt.asIntN(64, value)) };
    if (number === 4) return { doubleValue: bytes.readDoubleLE() };
    if (number === 5) return { arrayValue: { values: repeated(bytes, 1, anyValue) } };
    if (number === 6) return { kvlistValue: { values: repeated(bytes, 1, keyValue) } };
    if (number === 7) return { bytesValue: bytes.toString('base64') };
  }
  return {};
}

const repeated = <T>(message: Buffer, wanted: number, read: (bytes: Buffer) => T): T[] =>
  [...fieldsOf(message)].filter(({ number }) => number === wanted).map(({ bytes }) => read(bytes));

const keyValue = (message: Buffer): Json => {
  const json: Json = { key: '' };
  for (const { number, bytes } of fieldsOf(message)) {
    if (number === 1) json.key = bytes.toString('utf8');
    else if (number === 2) json.value = anyValue(bytes);
  }
  return json;
};

const status = (message: Buffer): Json => {
  const json: Json = {};
  for (const { number, bytes, value } of fieldsOf(message)) {
    if (number === 2) json.message = bytes.toString('utf8');
    else if (number === 3) json.code = Number(value);
  }
  return json;
};

const event = (message: Buffer): Json => {
  const json: Json = { attributes: repeated(message, 3, keyValue) };
  for (const { number, bytes, value } of fieldsOf(message)) {
    if (number === 1) json.timeUnixNano = String(value);
    else if (number === 2) json.name = bytes.toString('utf8');
  }
  return json;
};

const link = (message: Buffer): Json => {
  const json: Json = { attributes: repeated(message, 4, keyValue) };
  for (const { number, bytes, value } of fieldsOf(message)) {
    if (number === 1) json.traceId = bytes.toString('hex');
    else if (number === 2) json.spanId = bytes.toString('hex');
    else if (number === 3) json.traceState = bytes.toString('utf8');
    else if (number === 6) json.flags = Number(value);
  }
  return json;
};

const span = (message: Buffer): Json => {
  const json: Json = {
    attributes: repeated(message, 9, keyValue),
    events: repeated(message, 11, event),
    links: repeated(message, 13, link),
  };
  for (const { number, bytes, value } of fieldsOf(message)) {
    if (number === 1) json.traceId = bytes.toString('hex');
    else if (number === 2) json.spanId = bytes.toString('hex');
    else if (number === 3) json.traceState = bytes.toString('utf8');
    else if (number === 4) json.parentSpanId = bytes.toString('hex');
    else if (number === 5) json.name = bytes.toString('utf8');
    else if (number === 6) json.kind = Number(value);
    else if (number === 7) json.startTimeUnixNano = String(value);
    else if (number === 8) json.endTimeUnixNano = String(value);
    else if (number === 15) json.status = status(bytes);
    else if (number === 16) json.flags = Number(value);
  }
  return json;
};

const scopeSpans = (message: Buffer): Json => {
  const [scope] = repeated(message, 1, (bytes) => ({
    name: text(bytes, 1),
    version: text(bytes, 2),
  }));
  return { scope: scope ?? {}, spans: repeated(message, 2, span), ...schemaUrl(message) };
};

const resourceSpans = (message: Buffer): Json => {
  const [resource] = repeated(message, 1, (bytes) => ({ attributes: repeated(bytes, 1, keyValue) }));
  return { resource: resource ?? {}, scopeSpans: repeated(message, 2, scopeSpans), ...schemaUrl(message) };
};

const text = (message: Buffer, wanted: number): string =>
  repeated(message, wanted, (bytes) => bytes.toString('utf8'))[0] ?? '';

const schemaUrl = (message: Buffer): Json => {
  const url = text(message, 3);
  return url === '' ? {} : { schemaUrl: url };
};

/** TracesData, or an ExportTraceServiceRequest (the same bytes), as its JSON value. Throws RangeError on a cut-off message. */
export const tracesJson = (message: Buffer): { readonly resourceSpans: readonly Json[] } => ({
  resourceSpans: repeated(message, 1, resourceSpans),
});
