import { offset, type StorePosition } from '@weir/core';
import { errors } from './errors.js';

/**
 * The binary form of a position, as a durable store keeps it beside the data.
 *
 *   byte  0       version, 1
 *   bytes 1-8     offset, unsigned, big-endian, below 2^53
 *   bytes 9-12    leader epoch, signed, big-endian
 *   bytes 13-20   writtenAt, milliseconds, float64 big-endian
 *   bytes 21-     topic id, UTF-8, to the end
 *
 * History: 1 is the first.
 */
const VERSION = 1;
const FIXED_BYTES = 21;
const WORD = 0x1_0000_0000;

export function encodePosition(position: StorePosition): Buffer {
  const bytes = Buffer.allocUnsafe(FIXED_BYTES + Buffer.byteLength(position.topicId, 'utf8'));
  bytes[0] = VERSION;
  bytes.writeUInt32BE(Math.floor(position.offset / WORD), 1);
  bytes.writeUInt32BE(position.offset % WORD, 5);
  bytes.writeInt32BE(position.leaderEpoch, 9);
  bytes.writeDoubleBE(position.writtenAt, 13);
  bytes.write(position.topicId, FIXED_BYTES, 'utf8');
  return bytes;
}

/** @throws RangeError if the bytes are no position, or one of a version that is not known; the caller names the store */
export function decodePosition(bytes: Buffer): StorePosition {
  if (bytes[0] !== VERSION) throw new RangeError(`its position has version ${bytes[0] ?? 'none'}, and ${VERSION} is known`);
  if (bytes.length < FIXED_BYTES) throw new RangeError(`its position has ${bytes.length} bytes, and takes ${FIXED_BYTES}`);
  const at = bytes.readUInt32BE(1) * WORD + bytes.readUInt32BE(5);
  const writtenAt = bytes.readDoubleBE(13);
  if (!Number.isSafeInteger(at) || !Number.isFinite(writtenAt)) throw new RangeError('its position has an offset or a time that cannot be');
  return { offset: offset(at), leaderEpoch: bytes.readInt32BE(9), writtenAt, topicId: bytes.toString('utf8', FIXED_BYTES) };
}

/**
 * Refuses, before a write, a position that cannot be, or that lies below what the store already holds: it would say that the store
 * holds less than it does (S2). A store of another log is destroyed first, so the topic id stays, too.
 * @throws WeirError `internal`
 */
export function checkPosition(path: string, held: StorePosition | undefined, given: StorePosition): void {
  const refuse = (field: string, expected: string, actual: unknown): never => {
    throw errors.positionInvalid({ path, field, expected, actual: String(actual) });
  };
  if (!Number.isSafeInteger(given.offset) || given.offset < 0) refuse('offset', 'a whole number from 0', given.offset);
  if (given.leaderEpoch !== (given.leaderEpoch | 0)) refuse('leaderEpoch', 'a whole number of 32 bits', given.leaderEpoch);
  if (!Number.isFinite(given.writtenAt)) refuse('writtenAt', 'a number of milliseconds', given.writtenAt);
  if (held !== undefined && (given.topicId !== held.topicId || given.offset < held.offset)) {
    throw errors.positionRegressed({ path, held: spelled(held), given: spelled(given) });
  }
}

const spelled = (position: StorePosition): string => `offset ${position.offset} of topic id ${position.topicId}`;
