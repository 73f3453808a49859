import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import zlib from 'node:zlib';
import lz4 from 'lz4-napi';
import snappy from 'snappy';
import { CODECS, MOST_UNPACKED_BYTES, compress, decompress } from './compression.js';
import { lz4FrameBound } from './lz4-frame.js';
import { zstdFrameBound } from './zstd-frame.js';

const [, GZIP, SNAPPY, LZ4, ZSTD] = CODECS.map((_, number) => number) as [number, number, number, number, number];
const refuse = (codec: number, packed: Buffer): string => {
  try {
    decompress(codec, packed, (problem) => new Error(`damaged: ${problem}`));
  } catch (thrown) {
    return (thrown as Error).message;
  }
  throw new Error('the bytes were taken');
};
const unpack = (codec: number, packed: Buffer): Buffer => decompress(codec, packed, (problem) => new Error(problem));

/** A Zstandard frame of blocks that each repeat one byte `size` times. */
function zstdBomb(blocks: number, size: number): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x50]);
  const body = Buffer.alloc(blocks * 4);
  for (let i = 0; i < blocks; i++) body.writeUIntLE((size << 3) | (1 << 1) | (i === blocks - 1 ? 1 : 0), i * 4, 3);
  return Buffer.concat([head, body]);
}

describe('packed records', () => {
  it.each(['gzip', 'snappy', 'lz4', ...('zstdCompressSync' in zlib ? (['zstd'] as const) : [])] as const)(
    'come back as they were: %s',
    (compression) => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), fc.integer({ min: 1, max: 200 }), (bytes, times) => {
          const plain = Buffer.concat(Array.from({ length: times }, () => bytes));
          expect(unpack(CODECS.indexOf(compression), compress(compression, plain)).equals(plain)).toBe(true);
        }),
        { numRuns: 50 },
      );
    },
  );

  it('are read from snappy in one raw block, as clients other than Java write it', () => {
    const plain = Buffer.from('raw '.repeat(1_000));
    expect(unpack(SNAPPY, snappy.compressSync(plain)).equals(plain)).toBe(true);
  });

  it('are read from snappy in several blocks', () => {
    const [one, two] = [snappy.compressSync(Buffer.from('one')), snappy.compressSync(Buffer.from('two'))];
    const length = (block: Buffer): Buffer => Buffer.from([0, 0, 0, block.length]);
    const head = Buffer.from('82534e41505059000000000100000001', 'hex');
    expect(unpack(SNAPPY, Buffer.concat([head, length(one), one, length(two), two])).toString()).toBe('onetwo');
  });

  it('never take more memory than the limit: a bomb of any kind is refused', () => {
    expect(refuse(GZIP, zlib.gzipSync(Buffer.alloc(MOST_UNPACKED_BYTES + 1), { level: 1 }))).toMatch(/gzip bytes cannot be unpacked/);
    // 4 GiB by its head
    expect(refuse(SNAPPY, Buffer.from('ffffffff0f0000', 'hex'))).toMatch(/says it holds 4294967295 bytes/);
    expect(refuse(ZSTD, zstdBomb(4_000, 128 * 1024))).toMatch(/hold up to 524288000 bytes/);
    expect(refuse(ZSTD, Buffer.from('28b52ffd00ff010000', 'hex'))).toMatch(/window is too large/);
  });

  it('never take more memory than the limit: lz4', () => {
    const block = lz4.compressFrameSync(Buffer.alloc(MOST_UNPACKED_BYTES + 65_536));
    expect(refuse(LZ4, block)).toMatch(/hold up to \d+ bytes/);
  });

  it.each([
    ['gzip', GZIP],
    ['snappy', SNAPPY],
    ['lz4', LZ4],
    ['zstd', ZSTD],
  ])('of no bytes, or of any bytes, are damaged at worst: %s', (_name, codec) => {
    expect(refuse(codec, Buffer.alloc(0))).toMatch(/^damaged: /);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          unpack(codec, Buffer.from(bytes));
        } catch (thrown) {
          expect((thrown as Error).message).toMatch(/cannot be unpacked/);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('are bounded by what they really hold', () => {
    const plain = Buffer.from('some text, '.repeat(30_000));
    expect(lz4FrameBound(lz4.compressFrameSync(plain))).toBeGreaterThanOrEqual(plain.length);
    expect(zstdFrameBound(zstdBomb(3, 1_000))).toBe(3_000);
    expect(unpack(ZSTD, zstdBomb(3, 1_000))).toHaveLength(3_000);
  });
});
