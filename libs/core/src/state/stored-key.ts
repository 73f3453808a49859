import type { ByteWriter } from '../model/byte-writer.js';
import { murmur2 } from '../model/murmur2.js';

/**
 * Layout of a key in the changelog and in every state store. Its one home.
 *
 *   version 1:  key group (uint16) | state id (uint32) | length of the key (varint) | key | user key of a collection's entry
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

export const EPOCH_RECORD_KEY: Buffer = Buffer.from([0xff, 0xff, 0x01]);
export const STATE_CATALOGUE_KEY: Buffer = Buffer.from([0xff, 0xff, 0x02]);

/** Whether a stored key is one of Weir's own records. */
export const isReservedKey = (buffer: Buffer, start: number, end: number): boolean => end - start >= 2 && buffer[start] === 0xff && buffer[start + 1]! >= 0xfe;

/**
 * The id of a state: a hash of the operator's and the state's names, so that it needs no registry and survives any reordering of the
 * job. Two states with one id are refused when the second is declared.
 */
export const stateIdOf = (operator: string, state: string): number => murmur2(Buffer.from(`${operator}\0${state}`, 'utf8')) >>> 0;

/** Appends the stored key of bytes [start, end) of `key`; a value state has no user key behind it. */
export function writeStoredKey(out: ByteWriter, keyGroup: number, stateId: number, key: Uint8Array, start = 0, end = key.length): void {
  out.writeUint16(keyGroup);
  out.writeUint32(stateId);
  out.writeUnsignedVarint(end - start);
  out.writeBytes(key, start, end);
}

const OPERATOR_STATE = 0x8000;

/** Appends the stored key of an operator state, up to its entry. */
export function writeOperatorKey(out: ByteWriter, stateId: number): void {
  out.writeUint16(OPERATOR_STATE);
  out.writeUint32(stateId);
}
