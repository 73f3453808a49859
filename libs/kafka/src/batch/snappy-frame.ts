import snappy from 'snappy';

/**
 * Snappy as Kafka has it: the Java client writes the stream format of snappy-java ("xerial": a head of 16 bytes, then blocks, each
 * with its length before it), others write one raw block. Both are read; the stream is written, since every client reads it.
 */
const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const HEAD_BYTES = 16;
const VERSION = 1;

export function packXerial(block: Buffer): Buffer {
  const packed = Buffer.allocUnsafe(HEAD_BYTES + 4 + block.length);
  MAGIC.copy(packed);
  packed.writeInt32BE(VERSION, 8);
  packed.writeInt32BE(VERSION, 12);
  packed.writeInt32BE(block.length, HEAD_BYTES);
  block.copy(packed, HEAD_BYTES + 4);
  return packed;
}

/** @throws Error if the bytes are damaged, or would hold more than `most` bytes */
export function unpackSnappy(packed: Buffer, most: number): Buffer {
  if (packed.length < HEAD_BYTES || MAGIC.compare(packed, 0, MAGIC.length) !== 0) return unpackBlock(packed, most);
  const blocks: Buffer[] = [];
  let left = most;
  for (let at = HEAD_BYTES; at < packed.length;) {
    if (at + 4 > packed.length) throw new Error('a block length is cut');
    const length = packed.readInt32BE(at);
    at += 4;
    if (length <= 0 || at + length > packed.length) throw new Error(`a block of ${length} bytes does not fit`);
    const block = unpackBlock(packed.subarray(at, at + length), left);
    left -= block.length;
    blocks.push(block);
    at += length;
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks);
}

function unpackBlock(block: Buffer, most: number): Buffer {
  const bytes = blockLength(block);
  if (bytes > most) throw new Error(`a block says it holds ${bytes} bytes, and ${most} are left`);
  // Copied: memory that the library owns costs four times as long, to map and to give back.
  return snappy.uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer;
}

/** The length that a raw block begins with, a plain varint. */
function blockLength(block: Buffer): number {
  let value = 0;
  let scale = 1;
  for (let at = 0; at < 5 && at < block.length; at++, scale *= 0x80) {
    const byte = block[at]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return value;
  }
  throw new Error('its length cannot be read');
}
