/**
 * Varints as Kafka's records have them: LEB128 of a zigzag number, at most 5 bytes for an int32 and 10 for an int64. The record loops
 * read and write one byte in place and come here for more, so that a number costs neither a call nor an object in the common case.
 *
 * `readLong` and `readInt` give their result and leave the position behind it in `varint.end`: a pair would be an object.
 */
export const varint = { end: 0 };

/** What a damaged int32 reads as; no field of a record can have this value. It is an integer, so that the record loop stays in integers. */
export const DAMAGED = -0x8000_0000;
/** What a damaged int64 reads as. */
export const DAMAGED_LONG = Number.MAX_VALUE;

/** The int32 whose first byte is at `at`; DAMAGED if it does not end within five bytes and before `limit`. */
export function readInt(bytes: Buffer, at: number, limit: number): number {
  let value = 0;
  let p = at;
  for (let shift = 0; shift <= 28; shift += 7) {
    if (p >= limit) return DAMAGED;
    const byte = bytes[p++]!;
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) {
      varint.end = p;
      return (value >>> 1) ^ -(value & 1);
    }
  }
  return DAMAGED;
}

/** The int64 whose first byte is at `at`; DAMAGED_LONG if it is cut, or greater than 2^52 in size. */
export function readLong(bytes: Buffer, at: number, limit: number): number {
  let value = 0;
  let p = at;
  let scale = 1;
  for (let count = 0; count < 10; count++) {
    if (p >= limit) return DAMAGED_LONG;
    const byte = bytes[p++]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) {
      if (value > Number.MAX_SAFE_INTEGER) return DAMAGED_LONG;
      varint.end = p;
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
    scale *= 0x80;
  }
  return DAMAGED_LONG;
}

/** Bytes of an int32. */
export function sizeOfInt(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0;
  if (zigzag < 0x80) return 1;
  if (zigzag < 0x4000) return 2;
  if (zigzag < 0x20_0000) return 3;
  return zigzag < 0x1000_0000 ? 4 : 5;
}

/** Bytes of an int64 of at most 2^52 in size. */
export function sizeOfLong(value: number): number {
  if (value >= -0x4000_0000 && value < 0x4000_0000) return sizeOfInt(value);
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let size = 1;
  while (rest >= 0x80) {
    rest = Math.floor(rest / 0x80);
    size++;
  }
  return size;
}

/** @returns the position behind it */
export function writeInt(bytes: Buffer, at: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0;
  let p = at;
  while (rest >= 0x80) {
    bytes[p++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[p++] = rest;
  return p;
}

/** @returns the position behind it */
export function writeLong(bytes: Buffer, at: number, value: number): number {
  if (value >= -0x4000_0000 && value < 0x4000_0000) return writeInt(bytes, at, value);
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let p = at;
  while (rest >= 0x80) {
    bytes[p++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  bytes[p++] = rest;
  return p;
}
