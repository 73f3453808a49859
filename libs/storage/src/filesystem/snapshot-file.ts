import { crc32 } from 'node:zlib';
import { NULL, RecordColumns } from '@weir/core';
import { errors } from '../errors.js';
import { ByteSource } from './byte-source.js';

/**
 * Layout of a snapshot's file: rows in blocks, so that writing and reading take the memory of a block, whatever the file's size.
 *
 *   version 1:  file:   "weirsnap" | version (uint8) | level (uint8; 255: base) | 0 (uint16) | crc of the 12 bytes before (uint32)
 *                       block, ... | end
 *               block:  1 (uint8) | 0 (3 bytes) | length (uint32) | rows (uint32) | crc of the rows (uint32) | crc of the 16 before | rows
 *               end:    2 (uint8) | 0 (3 bytes) | 16 (uint32)     | 0 (uint32)    | crc                      | crc                  |
 *                       bytes of the file (float64) | rows of the file (float64)
 *               row:    length of the key (uint32) | length of the value (uint32; ffffffff: deleted) | key | value
 *
 * All numbers big-endian; crc is CRC-32 as zlib has it. A length is used only once its checksum was compared, and a file without its end,
 * or with anything behind it, is damaged: so is one that was cut between two blocks.
 */
const MAGIC = 'weirsnap';
const VERSION = 1;
const FILE_HEADER_BYTES = 16;
const BLOCK_HEADER_BYTES = 20;
const END_BYTES = 16;
const ROW_HEADER_BYTES = 8;
const DELETED = 0xffffffff;
const BASE_LEVEL = 255;
const ROWS = 1;
const END = 2;

/** A block ends once it holds more; a row is never cut, so that one of 10 MB makes a block of 10 MB. */
export const BLOCK_BYTES = 256 * 1024;

/** Writes a file into chunks that are used again: each is read before the next one is made, as SnapshotStore.create does. */
export class SnapshotEncoder {
  #buffer = Buffer.allocUnsafe(BLOCK_BYTES + 64 * 1024);
  #at = BLOCK_HEADER_BYTES;
  #blockRows = 0;
  #rows = 0;
  #bytes = 0;

  /** Of all blocks so far. */
  get rows(): number {
    return this.#rows;
  }

  /** Of the file so far. */
  get bytes(): number {
    return this.#bytes;
  }

  get blockIsFull(): boolean {
    return this.#at >= BLOCK_BYTES;
  }

  /** @param level 0 to 254, or Infinity for a base */
  header(level: number): Buffer {
    const header = Buffer.alloc(FILE_HEADER_BYTES);
    header.write(MAGIC, 0, 'latin1');
    header[8] = VERSION;
    header[9] = Math.min(level, BASE_LEVEL);
    header.writeUInt32BE(crc32(header.subarray(0, 12)), 12);
    this.#bytes += header.length;
    return header;
  }

  /** Adds a row of columns to the block. */
  addRow({ buffer, keyStart, keyEnd, valueStart, valueEnd }: RecordColumns, row: number): void {
    const key = keyEnd[row]! - keyStart[row]!;
    const value = valueStart[row] === NULL ? undefined : valueEnd[row]! - valueStart[row]!;
    this.#begin(key, value);
    this.#at += buffer.copy(this.#buffer, this.#at, keyStart[row], keyEnd[row]);
    if (value !== undefined) this.#at += buffer.copy(this.#buffer, this.#at, valueStart[row], valueEnd[row]);
  }

  /** Adds an entry whose bytes are text of one byte per character. */
  addEntry(key: string, value: string): void {
    this.#begin(key.length, value.length);
    this.#at += this.#buffer.write(key, this.#at, 'latin1');
    this.#at += this.#buffer.write(value, this.#at, 'latin1');
  }

  #begin(key: number, value: number | undefined): void {
    const needed = this.#at + ROW_HEADER_BYTES + key + (value ?? 0);
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(needed);
      this.#buffer.copy(grown, 0, 0, this.#at);
      this.#buffer = grown;
    }
    this.#at = this.#buffer.writeUInt32BE(key, this.#at);
    this.#at = this.#buffer.writeUInt32BE(value ?? DELETED, this.#at);
    this.#blockRows++;
  }

  /** The rows that were added since the last block; nothing if there are none. */
  *block(): Generator<Buffer> {
    if (this.#blockRows === 0) return;
    const block = this.#buffer.subarray(0, this.#at);
    writeBlockHeader(block, ROWS, this.#blockRows);
    this.#rows += this.#blockRows;
    this.#bytes += block.length;
    this.#at = BLOCK_HEADER_BYTES;
    this.#blockRows = 0;
    yield block;
  }

  /** A block as it was read from another file. */
  *copy(block: SnapshotBlock): Generator<Buffer> {
    const header = Buffer.alloc(BLOCK_HEADER_BYTES);
    const bytes = Buffer.concat([header, block.payload]);
    writeBlockHeader(bytes, ROWS, block.rows);
    this.#rows += block.rows;
    this.#bytes += bytes.length;
    yield bytes;
  }

  end(): Buffer {
    const end = Buffer.alloc(BLOCK_HEADER_BYTES + END_BYTES);
    this.#bytes += end.length;
    end.writeDoubleBE(this.#bytes, BLOCK_HEADER_BYTES);
    end.writeDoubleBE(this.#rows, BLOCK_HEADER_BYTES + 8);
    writeBlockHeader(end, END, 0);
    return end;
  }
}

/** Writes the header of a block before its payload. */
function writeBlockHeader(block: Buffer, type: number, rows: number): void {
  block.fill(0, 0, 4);
  block[0] = type;
  block.writeUInt32BE(block.length - BLOCK_HEADER_BYTES, 4);
  block.writeUInt32BE(rows, 8);
  block.writeUInt32BE(crc32(block.subarray(BLOCK_HEADER_BYTES)), 12);
  block.writeUInt32BE(crc32(block.subarray(0, 16)), 16);
}

/** Rows as they lie in a file, their checksum compared. */
export interface SnapshotBlock {
  readonly rows: number;
  readonly payload: Buffer;
  /** Of the file, up to the end of this block. */
  readonly bytes: number;
}

/**
 * Blocks of a file, in order. When it ends, the file was whole.
 * @param path for errors
 * @throws WeirError `invalid` SNAPSHOT_DAMAGED; what `content` throws
 */
export async function* readBlocks(path: string, content: AsyncIterable<Buffer>): AsyncGenerator<SnapshotBlock> {
  const source = new ByteSource(content, (wanted, found, at) => damaged(path, `it ends at byte ${at + found}, in the middle of ${wanted} bytes from byte ${at} on`));
  try {
    checkFileHeader(path, await source.take(FILE_HEADER_BYTES));
    let rows = 0;
    for (;;) {
      const at = source.position;
      const header = Buffer.from(await source.take(BLOCK_HEADER_BYTES));
      compare(path, at, 'block header', header.subarray(0, 16), header.readUInt32BE(16));
      const payload = await source.take(header.readUInt32BE(4));
      compare(path, at, 'block', payload, header.readUInt32BE(12));
      if (header[0] === END) {
        await checkEnd(path, source, payload, rows);
        return;
      }
      if (header[0] !== ROWS) throw damaged(path, `the block at byte ${at} is of type ${header[0]}, which version ${VERSION} does not have`);
      rows += header.readUInt32BE(8);
      yield { rows: header.readUInt32BE(8), payload, bytes: source.position };
    }
  } finally {
    await source.close();
  }
}

function checkFileHeader(path: string, header: Buffer): void {
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) throw damaged(path, `it does not begin with "${MAGIC}"`);
  compare(path, 0, 'file header', header.subarray(0, 12), header.readUInt32BE(12));
  if (header[8] !== VERSION) throw damaged(path, `it has version ${header[8]}, and this Weir reads ${VERSION}: run the one that wrote it`);
}

async function checkEnd(path: string, source: ByteSource, end: Buffer, rows: number): Promise<void> {
  const [bytesMeant, rowsMeant] = [end.readDoubleBE(0), end.readDoubleBE(8)];
  if (bytesMeant !== source.position || rowsMeant !== rows) {
    throw damaged(path, `it has ${source.position} bytes and ${rows} rows, and was written with ${bytesMeant} and ${rowsMeant}`);
  }
  if (!(await source.isAtEnd())) throw damaged(path, `something follows its end at byte ${source.position}`);
}

function compare(path: string, at: number, what: string, bytes: Buffer, written: number): void {
  const found = crc32(bytes);
  if (found !== written) throw damaged(path, `the checksum of the ${what} at byte ${at} is ${written.toString(16)}, and its bytes give ${found.toString(16)}`);
}

const damaged = (path: string, found: string): Error => errors.snapshotDamaged({ path, found });

/** The rows of a block as columns over it. @throws WeirError `invalid` SNAPSHOT_DAMAGED */
export function columnsOf(path: string, { payload, rows }: SnapshotBlock): RecordColumns {
  const columns = new RecordColumns();
  columns.buffer = payload;
  columns.reserve(rows);
  let at = 0;
  for (let row = 0; row < rows; row++) {
    if (at + ROW_HEADER_BYTES > payload.length) throw damaged(path, `row ${row} of a block lies beyond its ${payload.length} bytes`);
    const key = payload.readUInt32BE(at);
    const value = payload.readUInt32BE(at + 4);
    const start = at + ROW_HEADER_BYTES;
    columns.offset[row] = columns.timestamp[row] = -1;
    columns.keyStart[row] = start;
    columns.keyEnd[row] = start + key;
    columns.valueStart[row] = value === DELETED ? NULL : start + key;
    columns.valueEnd[row] = value === DELETED ? NULL : start + key + value;
    at = start + key + (value === DELETED ? 0 : value);
  }
  if (at !== payload.length) throw damaged(path, `${rows} rows of a block take ${at} bytes, and it has ${payload.length}`);
  columns.count = rows;
  return columns;
}
