import { type ByteWriter } from './byte-writer.js';

/**
 * Header blocks: the headers of one record as bytes, so that they pass from input to output without being parsed.
 * The layout is that of a Kafka record (format v2): per header a zigzag varint with the key's length, the key in UTF-8,
 * a zigzag varint with the value's length (-1 for null), the value. The leading count is not part of the block.
 */
export interface RecordHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/** Appends the header block of `headers` to `out`; writes nothing for none. */
export function encodeHeaders(headers: readonly RecordHeader[], out: ByteWriter): void {
  for (const { key, value } of headers) {
    out.writeUnsignedVarint(Buffer.byteLength(key, 'utf8') * 2);
    out.writeUtf8(key);
    out.writeUnsignedVarint(value === null ? 1 : value.length * 2);
    if (value !== null) out.writeBytes(value);
  }
}

/**
 * The headers in bytes [start, end) of `buffer`; values are views.
 * @throws RangeError when the block is damaged; adapters validate blocks before they hand them out
 */
export function decodeHeaders(buffer: Buffer, start: number, end: number): RecordHeader[] {
  const headers: RecordHeader[] = [];
  let at = start;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 0x80) {
      if (at >= end || scale > 2 ** 35) throw new RangeError(`Header block is damaged at byte ${at - start}`);
      const byte = buffer[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  };
  const bytes = (length: number): Buffer => {
    if (length < 0 || at + length > end) throw new RangeError(`Header block is damaged at byte ${at - start}`);
    return buffer.subarray(at, (at += length));
  };
  while (at < end) {
    const key = bytes(varint()).toString('utf8');
    const valueLength = varint();
    headers.push({ key, value: valueLength === -1 ? null : bytes(valueLength) });
  }
  return headers;
}

/** How many headers bytes [start, end) of `buffer` hold. */
export function countHeaders(buffer: Buffer, start: number, end: number): number {
  return start === end ? 0 : decodeHeaders(buffer, start, end).length;
}
