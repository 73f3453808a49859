import type { Codec } from './codec.js';
import { readText, writeText } from './text.js';

/**
 * The primitive codecs. Fixed-width numbers are big-endian, as Kafka's own serializers write them (DoubleSerializer, LongSerializer,
 * BooleanSerializer, StringSerializer, ByteArraySerializer), so that other languages read them.
 */

function wrongLength(id: string, expected: number, start: number, end: number): RangeError {
  return new RangeError(`${id} takes ${expected} bytes, and ${end - start} came`);
}

/** Text as UTF-8. @throws RangeError on bytes that are not UTF-8; TypeError on anything but well-formed text: a lone surrogate has no UTF-8, and two of them would become one key */
export const utf8: Codec<string> = {
  id: 'utf8',
  version: 1,
  identity: true,
  encode: (value, out) => {
    if (typeof value !== 'string') throw new TypeError(`utf8 takes a string, and ${typeof value} came`);
    writeText(value, out, 'utf8');
  },
  decode: readText,
};

/** A double, 8 bytes big-endian. Not an identity: 0 and -0 are one key to a Map and two byte strings. */
export const float64: Codec<number> = {
  id: 'float64',
  version: 1,
  encode: (value, out) => {
    if (typeof value !== 'number') throw new TypeError(`float64 takes a number, and ${typeof value} came`);
    out.writeFloat64(value);
  },
  decode: (buffer, start, end) => {
    if (end - start !== 8) throw wrongLength('float64', 8, start, end);
    return buffer.readDoubleBE(start);
  },
};

/** A signed 64-bit integer as bigint, 8 bytes big-endian. @throws RangeError outside [-2^63, 2^63) */
export const int64: Codec<bigint> = {
  id: 'int64',
  version: 1,
  identity: true,
  encode: (value, out) => {
    if (typeof value !== 'bigint') throw new TypeError(`int64 takes a bigint, and ${typeof value} came`);
    out.writeInt64(value);
  },
  decode: (buffer, start, end) => {
    if (end - start !== 8) throw wrongLength('int64', 8, start, end);
    return buffer.readBigInt64BE(start);
  },
};

/** A signed 32-bit integer, 4 bytes big-endian; -0 is 0, as it is to a Map. @throws RangeError for what is no integer in [-2^31, 2^31) */
export const int32: Codec<number> = {
  id: 'int32',
  version: 1,
  identity: true,
  encode: (value, out) => {
    if (typeof value !== 'number') throw new TypeError(`int32 takes a number, and ${typeof value} came`);
    if ((value | 0) !== value) throw new RangeError(`int32 takes an integer in [-2^31, 2^31), and ${value} came`);
    out.writeUint32(value >>> 0);
  },
  decode: (buffer, start, end) => {
    if (end - start !== 4) throw wrongLength('int32', 4, start, end);
    return buffer.readInt32BE(start);
  },
};

/** One byte, 0 or 1. */
export const boolean: Codec<boolean> = {
  id: 'boolean',
  version: 1,
  identity: true,
  encode: (value, out) => {
    if (typeof value !== 'boolean') throw new TypeError(`boolean takes true or false, and ${typeof value} came`);
    out.writeUint8(value ? 1 : 0);
  },
  decode: (buffer, start, end) => {
    if (end - start !== 1) throw wrongLength('boolean', 1, start, end);
    const byte = buffer[start]!;
    if (byte > 1) throw new RangeError(`boolean is the byte 0 or 1, and ${byte} came`);
    return byte === 1;
  },
};

/** Bytes as they are. What is decoded is a view. Not an identity: two buffers are never one key to a Map. */
export const bytes: Codec<Uint8Array> = {
  id: 'bytes',
  version: 1,
  encode: (value, out) => {
    if (!(value instanceof Uint8Array)) throw new TypeError(`bytes takes a Uint8Array, and ${typeof value} came`);
    out.writeBytes(value);
  },
  decode: (buffer, start, end) => buffer.subarray(start, end),
};

/**
 * Any value as JSON text.
 * @throws TypeError for values that JSON has no text for (undefined, functions, bigint, cycles); RangeError on bytes that are not UTF-8
 */
export function json<T>(): Codec<T> {
  return {
    id: 'json',
    version: 1,
    encode: (value, out) => {
      const text = JSON.stringify(value) as string | undefined;
      if (text === undefined) throw new TypeError(`json has no text for ${typeof value}`);
      out.writeUtf8(text);
    },
    decode: (buffer, start, end) => JSON.parse(readText(buffer, start, end)) as T,
  };
}
