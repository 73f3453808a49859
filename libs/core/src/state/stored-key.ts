import type { ByteWriter } from '../model/byte-writer.js';
import { murmur2 } from '../model/murmur2.js';

/**
 * Layout of a key in the changelog and in every state store. Its one home.
 *
 *   version 1:  key group (uint16) | state id (uint32) | length of the key (varint) | key | sub-key
 *
 * The sub-key is empty for one value per key (value, reducing, aggregating state); of a map's entry it is the encoded user key, of a list's
 * element its sequence number (8 bytes, see sequence.ts).
 *
 * All numbers big-endian, varints LEB128. A key group is below 32768, so keys that begin with 0x8000 or more are free for other uses:
 *
 *   8000 | state id (uint32) | entry    operator state (operator-state.ts)
 *   ffff 01  the epoch record (checkpoint/epoch-record.ts)
 *   ffff 02  the state catalogue (state/state-catalogue.ts)
 *   fffe ..  left to state stores for records of theirs, which never enter a changelog
 *
 * The length before the key keeps keys apart that are prefixes of each other, so that a scan by prefix finds the entries of one key.
 */
export const STORED_KEY_VERSION = 1;

const KEY_GROUP_BYTES = 2;
/** Behind key group and state id. */
const KEY_LENGTH_AT = KEY_GROUP_BYTES + 4;

export const EPOCH_RECORD_KEY: Buffer = Buffer.from([0xff, 0xff, 0x01]);
export const STATE_CATALOGUE_KEY: Buffer = Buffer.from([0xff, 0xff, 0x02]);

/** Whether a stored key is one of Weir's own records. */
export const isReservedKey = (buffer: Buffer, start: number, end: number): boolean => end - start >= 2 && buffer[start] === 0xff && buffer[start + 1]! >= 0xfe;

/**
 * The id of a state: a hash of the operator's and the state's names, so that it needs no registry and survives any reordering of the
 * job. Two states with one id are refused when the second is declared.
 */
export const stateIdOf = (operator: string, state: string): number => murmur2(Buffer.from(`${operator}\0${state}`, 'utf8')) >>> 0;

/** Appends the stored key of bytes [start, end) of `key`, without a sub-key. */
export function writeStoredKey(out: ByteWriter, keyGroup: number, stateId: number, key: Uint8Array, start = 0, end = key.length): void {
  out.writeUint16(keyGroup);
  out.writeUint32(stateId);
  out.writeUnsignedVarint(end - start);
  out.writeBytes(key, start, end);
}

/** Appends a sub-key, which is text of one byte per character. */
export function writeSubKey(out: ByteWriter, subKey: string): void {
  out.reserve(subKey.length);
  out.length += out.buffer.write(subKey, out.length, 'latin1');
}

/** The state's id in a stored key that is not one of Weir's own. */
export const stateIdIn = (stored: Buffer): number => stored.readUInt32BE(KEY_GROUP_BYTES);

/** Whether a stored key is that of an operator's state. */
export const isOperatorKey = (stored: Buffer): boolean => stored.readUInt16BE(0) === OPERATOR_STATE;

/** Where the parts of a stored key are that is not one of Weir's own. */
export interface StoredKeyParts {
  readonly keyStart: number;
  /** The sub-key begins here. */
  readonly keyEnd: number;
}

/** @throws RangeError if the bytes are no stored key */
export function partsOfStoredKey(stored: Uint8Array): StoredKeyParts {
  let at = KEY_LENGTH_AT;
  let length = 0;
  for (let scale = 1; ; scale *= 0x80) {
    const byte = stored[at++];
    if (byte === undefined || scale > 2 ** 35) break;
    length += (byte & 0x7f) * scale;
    if (byte < 0x80 && at + length <= stored.length) return { keyStart: at, keyEnd: at + length };
    if (byte < 0x80) break;
  }
  throw new RangeError(`not a stored key: ${Buffer.from(stored).toString('hex')}`);
}

const OPERATOR_STATE = 0x8000;

/** Appends the stored key of an operator state, up to its entry. */
export function writeOperatorKey(out: ByteWriter, stateId: number): void {
  out.writeUint16(OPERATOR_STATE);
  out.writeUint32(stateId);
}
