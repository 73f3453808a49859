import zlib from 'node:zlib';
import { decompress as fzstd } from 'fzstd';
import lz4 from 'lz4-napi';
import snappy from 'snappy';
import type { KafkaCompression } from '../options.js';
import { lz4FrameBound } from './lz4-frame.js';
import { packXerial, unpackSnappy } from './snappy-frame.js';
import { zstdFrameBound } from './zstd-frame.js';

/**
 * Packs and unpacks the records of a batch. The codec numbers are Kafka's (attributes, bits 0 to 2).
 *
 * Unpacking trusts nothing: how much the bytes can grow to is known before memory is taken for it, from the packed bytes themselves,
 * and more than MOST_UNPACKED_BYTES is refused. Libraries written in C or Rust would take whatever the bytes ask for.
 */
export const CODECS: readonly KafkaCompression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];

/** Most bytes of records in one batch, in bytes; a batch of Kafka's default size would have to be packed to 1/250 to hold more. */
export const MOST_UNPACKED_BYTES = 256 * 1024 * 1024;

/** Makes the error of the batch at hand. */
export type Damaged = (problem: string, cause?: unknown) => Error;

type Zstd = {
  readonly zstdCompressSync?: (bytes: Buffer) => Buffer;
  readonly zstdDecompressSync?: (bytes: Buffer, options: object) => Buffer;
};
const { zstdCompressSync, zstdDecompressSync } = zlib as Zstd; // Node 22.15 and later

/**
 * @param codec number of the codec, 1 to 4
 * @throws what `damaged` makes
 */
export function decompress(codec: number, packed: Buffer, damaged: Damaged): Buffer {
  const name = CODECS[codec];
  if (name === undefined || name === 'none') throw damaged(`its compression is number ${codec}, which does not exist`);
  try {
    switch (name) {
      case 'gzip':
        return zlib.gunzipSync(packed, { maxOutputLength: MOST_UNPACKED_BYTES });
      case 'snappy':
        return unpackSnappy(packed, MOST_UNPACKED_BYTES);
      case 'lz4':
        within(lz4FrameBound(packed));
        return lz4.decompressFrameSync(packed);
      case 'zstd':
        within(zstdFrameBound(packed));
        if (zstdDecompressSync !== undefined) return zstdDecompressSync(packed, { maxOutputLength: MOST_UNPACKED_BYTES });
        return toBuffer(fzstd(packed));
    }
  } catch (thrown) {
    const problem = thrown instanceof Error ? thrown.message : String(thrown);
    throw damaged(`its ${name} bytes cannot be unpacked (${problem})`, thrown);
  }
}

function within(bytes: number): void {
  if (bytes > MOST_UNPACKED_BYTES) throw new Error(`they hold up to ${bytes} bytes, and the most is ${MOST_UNPACKED_BYTES}`);
}

const toBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Packs the records of a batch. The options were checked, so the codec is one that this Node has. */
export function compress(compression: Exclude<KafkaCompression, 'none'>, records: Buffer): Buffer {
  switch (compression) {
    case 'gzip':
      return zlib.gzipSync(records);
    case 'snappy':
      return packXerial(snappy.compressSync(records, { copyOutputData: true }));
    case 'lz4':
      return lz4.compressFrameSync(records);
    case 'zstd':
      return zstdCompressSync!(records);
  }
}
