import { DAMAGED, readInt, varint } from './varint.js';

/**
 * Walks a header block of `count` headers in bytes [start, end): Kafka's layout of a record's headers is that of core's header
 * blocks, so the bytes are handed out as they are, once it is certain that they can be read.
 *
 * @param count how many headers there must be, or undefined to count them
 * @returns how many there are, or -1 if the block is damaged
 */
export function walkHeaders(bytes: Buffer, start: number, end: number, count?: number): number {
  let at = start;
  let seen = 0;
  while (at < end) {
    if (seen === count) return -1;
    const keyLength = readInt(bytes, at, end);
    if (keyLength === DAMAGED || keyLength < 0 || keyLength > end - varint.end) return -1;
    at = varint.end + keyLength;
    const valueLength = readInt(bytes, at, end);
    if (valueLength === DAMAGED || valueLength < -1 || valueLength > end - varint.end) return -1;
    at = varint.end + Math.max(valueLength, 0);
    seen++;
  }
  return count === undefined || seen === count ? seen : -1;
}
