/**
 * How much LZ4 frames can unpack to at most, found by walking their blocks without unpacking them.
 * Source: LZ4 Frame Format Description, version 1.6.
 *
 * @throws Error if the frames are damaged
 */
export function lz4FrameBound(packed: Buffer): number {
  let bound = 0;
  let at = 0;
  if (packed.length === 0) throw new Error('they are empty');
  while (at < packed.length) {
    const frame = frameHead(packed, at);
    at = frame.end;
    for (;;) {
      const size = uint32(packed, at);
      at += 4;
      if (size === END_MARK) break;
      const bytes = size & ~STORED;
      at += bytes + (frame.blockChecksum ? 4 : 0);
      if (at > packed.length) throw new Error(`a block of ${bytes} bytes does not fit`);
      bound += (size & STORED) !== 0 ? bytes : Math.min(frame.blockBytes, bytes * MOST_GROWTH);
    }
    if (frame.contentChecksum) at += 4;
  }
  return bound;
}

const FRAME_MAGIC = 0x184d2204;
const END_MARK = 0;
const STORED = 0x8000_0000 | 0;
/** A byte of a match length stands for at most 255 bytes. */
const MOST_GROWTH = 255;

function frameHead(packed: Buffer, start: number): { end: number; blockBytes: number; blockChecksum: boolean; contentChecksum: boolean } {
  if (uint32(packed, start) !== FRAME_MAGIC) throw new Error('they are not an LZ4 frame');
  if (start + 7 > packed.length) throw new Error('a frame head is cut');
  const flags = packed[start + 4]!;
  const sizeCode = (packed[start + 5]! >> 4) & 0x07;
  if (flags >> 6 !== 1 || sizeCode < 4) throw new Error('a frame head is damaged');
  const optional = ((flags & 0x08) !== 0 ? 8 : 0) + ((flags & 0x01) !== 0 ? 4 : 0);
  return {
    end: start + 7 + optional,
    blockBytes: 2 ** (8 + 2 * sizeCode),
    blockChecksum: (flags & 0x10) !== 0,
    contentChecksum: (flags & 0x04) !== 0,
  };
}

function uint32(packed: Buffer, at: number): number {
  if (at + 4 > packed.length) throw new Error('they are cut');
  return packed.readInt32LE(at);
}
