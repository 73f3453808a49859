import type { Codec } from '../codec/codec.js';
import type { ByteWriter } from '../model/byte-writer.js';

/**
 * Layout of a value of keyed state, in the changelog and in every state store: of a value state's value, of a list's element, of a map's
 * entry. Its one home; whoever reads such values from outside does so through `decodeStoredValue`.
 *
 *   version 1:  0 | value                                          without a time
 *               1 | time of the last update (float64) | value      of a state with a time to live, milliseconds since the epoch
 *
 * Both forms may stand beside each other, so a time to live can be switched on and off over existing state. Weir's own records (see
 * stored-key.ts) have no such header.
 */
export const STORED_VALUE_VERSION = 1;

const PLAIN = 0;
const TIMED = 1;
const TIMED_HEADER_BYTES = 9;

/** Begins a value without a time; the value's own bytes follow. */
export const beginPlainValue = (out: ByteWriter): void => out.writeUint8(PLAIN);

/** Begins a value with a time. @param updatedAt milliseconds since the epoch */
export function beginTimedValue(out: ByteWriter, updatedAt: number): void {
  out.writeUint8(TIMED);
  out.writeFloat64(updatedAt);
}

/** Where the value's own bytes begin. @throws RangeError if bytes [start, end) are no stored value */
export function storedValueStart(buffer: Buffer, start: number, end: number): number {
  if (start < end && buffer[start] === PLAIN) return start + 1;
  if (buffer[start] === TIMED && end - start >= TIMED_HEADER_BYTES) return start + TIMED_HEADER_BYTES;
  throw new RangeError(start >= end ? 'a stored value is never empty' : `a stored value begins with 0, or with 1 and a time, and ${buffer[start]} came`);
}

/** Time of the last update in milliseconds since the epoch; NaN for a value without one. The bytes are those of a stored value. */
export const storedValueTime = (buffer: Buffer, start: number): number => (buffer[start] === TIMED ? buffer.readDoubleBE(start + 1) : Number.NaN);

/**
 * The value in bytes [start, end), whether it has expired or not.
 * @throws RangeError if they are no stored value; whatever the codec throws
 */
export function decodeStoredValue<T>(codec: Codec<T>, buffer: Buffer, start = 0, end = buffer.length): T {
  return codec.decode(buffer, storedValueStart(buffer, start, end), end);
}
