/**
 * How much Zstandard frames can unpack to at most, found by walking their blocks without unpacking them. Also refuses windows that a
 * decoder would take memory for in advance. Source: RFC 8878, section 3.1.
 *
 * @throws Error if the frames are damaged
 */
export function zstdFrameBound(packed: Buffer): number {
  let bound = 0;
  let at = 0;
  if (packed.length === 0) throw new Error('they are empty');
  while (at < packed.length) {
    const magic = uint(packed, at, 4);
    if (magic >= SKIPPABLE && magic < SKIPPABLE + 16) {
      at += 8 + uint(packed, at + 4, 4);
      continue;
    }
    if (magic !== FRAME_MAGIC) throw new Error('they are not a Zstandard frame');
    const frame = frameHead(packed, at + 4);
    at = frame.end;
    for (let last = false; !last;) {
      const head = uint(packed, at, 3);
      last = (head & 1) === 1;
      const type = (head >> 1) & 3;
      const size = head >> 3;
      if (type === RESERVED) throw new Error('a block type does not exist');
      at += 3 + (type === RLE ? 1 : size);
      if (at > packed.length) throw new Error(`a block of ${size} bytes does not fit`);
      bound += type === COMPRESSED ? MOST_BLOCK_BYTES : size;
    }
    if (frame.checksum) at += 4;
  }
  return bound;
}

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE = 0x184d2a50;
const RLE = 1;
const COMPRESSED = 2;
const RESERVED = 3;
const MOST_BLOCK_BYTES = 128 * 1024;
/** Largest window that is taken; what zstd itself refuses without being told otherwise. */
const MOST_WINDOW_BYTES = 128 * 1024 * 1024;

function frameHead(packed: Buffer, start: number): { end: number; checksum: boolean } {
  const descriptor = uint(packed, start, 1);
  const single = (descriptor & 0x20) !== 0;
  let at = start + 1;
  if (!single) {
    const window = uint(packed, at++, 1);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > MOST_WINDOW_BYTES) throw new Error('their window is too large');
  }
  at += [0, 1, 2, 4][descriptor & 3]!;
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  if (sizeBytes > 0) {
    const size = sizeBytes === 8 ? uint(packed, at, 4) + uint(packed, at + 4, 4) * 2 ** 32 : uint(packed, at, sizeBytes);
    if (size > 2 * MOST_WINDOW_BYTES) throw new Error(`a frame says it holds ${size} bytes`);
  }
  return { end: at + sizeBytes, checksum: (descriptor & 0x04) !== 0 };
}

function uint(packed: Buffer, at: number, bytes: number): number {
  if (at + bytes > packed.length) throw new Error('they are cut');
  return packed.readUIntLE(at, bytes);
}
