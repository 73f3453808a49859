/** A row of a snapshot's file; the key in hexadecimal, null for a value that was deleted. */
export interface SnapshotRow {
  readonly key: string;
  readonly value: Buffer | null;
}

const HEADER_BYTES = 16;
const BLOCK_HEADER_BYTES = 20;
const DELETED = 0xffffffff;

/**
 * The rows of a snapshot's file, with a reading of the layout (libs/storage, filesystem/snapshot-file.ts) that shares no code with the engine:
 * 16 bytes, then blocks of 20 bytes (the first one 1; the length is at byte 4) with rows behind, until one whose first byte is 2.
 * @throws RangeError on another layout, or where the file is cut
 */
export function* snapshotRows(file: Buffer): IterableIterator<SnapshotRow> {
  if (file.toString('latin1', 0, 8) !== 'weirsnap' || file[8] !== 1) throw new RangeError(`not a snapshot of version 1: ${file.toString('hex', 0, HEADER_BYTES)}`);
  let at = HEADER_BYTES;
  while (file.readUInt8(at) === 1) {
    const end = at + BLOCK_HEADER_BYTES + file.readUInt32BE(at + 4);
    at += BLOCK_HEADER_BYTES;
    while (at < end) {
      const keyEnd = at + 8 + file.readUInt32BE(at);
      const length = file.readUInt32BE(at + 4);
      const valueEnd = length === DELETED ? keyEnd : keyEnd + length;
      if (valueEnd > end) throw new RangeError(`a row at byte ${at} goes beyond its block`);
      yield { key: file.toString('hex', at + 8, keyEnd), value: length === DELETED ? null : file.subarray(keyEnd, valueEnd) };
      at = valueEnd;
    }
  }
  if (file[at] !== 2) throw new RangeError(`a block at byte ${at} is of type ${file[at]}`);
}
