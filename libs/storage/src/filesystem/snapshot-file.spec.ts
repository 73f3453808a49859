import { describe, expect, it } from '@jest/globals';
import { RecordWriter, type WeirError } from '@weir/core';
import fc from 'fast-check';
import { BLOCK_BYTES, columnsOf, readBlocks, SnapshotEncoder } from './snapshot-file.js';
import { BASE } from './snapshot-names.js';

type Rows = readonly (readonly [key: string, value: string | null])[];

/** All chunks of a file, as a store would keep them. */
function fileOf(rows: Rows, level = 0): Buffer {
  const encoder = new SnapshotEncoder();
  const chunks: Buffer[] = [Buffer.from(encoder.header(level))];
  const writer = new RecordWriter();
  for (const [key, value] of rows) writer.add(0, Buffer.from(key, 'latin1'), value === null ? null : Buffer.from(value, 'latin1'));
  for (let row = 0; row < rows.length; row++) {
    encoder.addRow(writer.columns, row);
    if (encoder.blockIsFull) for (const block of encoder.block()) chunks.push(Buffer.from(block));
  }
  for (const block of encoder.block()) chunks.push(Buffer.from(block));
  chunks.push(encoder.end());
  const file = Buffer.concat(chunks);
  expect([encoder.bytes, encoder.rows]).toEqual([file.length, rows.length]);
  return file;
}

async function* inChunks(file: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < file.length; at += size) yield file.subarray(at, at + size);
}

async function rowsOf(file: Buffer, chunkSize = 1_000): Promise<Rows> {
  const rows: (readonly [string, string | null])[] = [];
  for await (const block of readBlocks('/dir/file', inChunks(file, chunkSize))) {
    const columns = columnsOf('/dir/file', block);
    for (let row = 0; row < columns.count; row++) rows.push([columns.key(row)!.toString('latin1'), columns.value(row)?.toString('latin1') ?? null]);
  }
  return rows;
}

const refusal = (file: Buffer): Promise<WeirError> => rowsOf(file).then(() => Promise.reject(new Error('expected a refusal')), (thrown: WeirError) => thrown);

const GOLDEN =
  '77656972736e617001000000' + '82b3aa19' + // "weirsnap", version 1, level 0
  '010000000000001c00000003' + '62eb8335' + '3d021e13' + // a block of 28 bytes, 3 rows
  '0000000200000001' + '6162' + '31' +
  '00000001ffffffff' + 'ff' +
  '0000000000000000' +
  '020000000000001000000000' + '205cc278' + 'a55d186f' + // the end: 100 bytes, 3 rows
  '4059000000000000' + '4008000000000000';

describe('the file of a snapshot', () => {
  it('has the bytes that it always had', async () => {
    const rows: Rows = [['ab', '1'], ['\xff', null], ['', '']];
    const delta = fileOf(rows);
    expect(delta.toString('hex')).toBe(GOLDEN);
    expect(await rowsOf(delta)).toEqual(rows);
    expect(fileOf(rows, BASE)[9]).toBe(255);
  });

  it('gives back any rows, in whatever chunks it is read', async () => {
    const text = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(text, fc.option(text)), { maxLength: 30 }), fc.integer({ min: 1, max: 300 }), async (rows, chunkSize) => {
        expect(await rowsOf(fileOf(rows), chunkSize)).toEqual(rows);
      }),
      { numRuns: 100 },
    );
  });

  it('is cut into blocks, and a row larger than a block is one by itself', async () => {
    const rows: Rows = Array.from({ length: 3_000 }, (_, n) => [`key ${n}`, n === 1_500 ? 'x'.repeat(BLOCK_BYTES * 3) : 'y'.repeat(300)] as const);
    const blocks: number[] = [];
    const file = fileOf(rows);
    for await (const { rows: count } of readBlocks('f', inChunks(file, 65_536))) blocks.push(count);
    expect([blocks.length, blocks.reduce((a, b) => a + b)]).toEqual([4, 3_000]);
    expect(await rowsOf(file, 65_536)).toEqual(rows);
  });

  it('encodes an entry of a heap as it does a row', () => {
    const encoder = new SnapshotEncoder();
    encoder.addEntry('a\xff', '\0\x80');
    const writer = new RecordWriter();
    writer.add(0, Buffer.from('a\xff', 'latin1'), Buffer.from('\0\x80', 'latin1'));
    const other = new SnapshotEncoder();
    other.addRow(writer.columns, 0);
    expect([...encoder.block()]).toEqual([...other.block()]);
  });
});

describe('a damaged file', () => {
  const file = fileOf(Array.from({ length: 60 }, (_, n) => [`key ${n}`, n % 5 === 0 ? null : `value ${n}`] as const));

  it('is refused wherever it is cut, and never half read for whole', async () => {
    for (let end = 0; end < file.length; end++) expect([end, (await refusal(file.subarray(0, end))).code]).toEqual([end, 'SNAPSHOT_DAMAGED']);
  });

  it('is refused whichever bit is turned', async () => {
    for (let at = 0; at < file.length; at++) {
      const turned = Buffer.from(file);
      turned[at]! ^= 1 << at % 8;
      expect([at, (await refusal(turned)).code]).toEqual([at, 'SNAPSHOT_DAMAGED']);
    }
  });

  it.each([
    ['with something behind its end', Buffer.concat([file, Buffer.from('x')]), 'something follows its end'],
    ['of another sort', Buffer.from('SQLite format 3, and so on'), 'it does not begin with "weirsnap"'],
    ['that is empty', Buffer.alloc(0), 'it ends at byte 0'],
  ])('is refused %s, and named', async (_, damaged, found) => {
    const refused = await refusal(damaged);
    expect([refused.code, refused.kind]).toEqual(['SNAPSHOT_DAMAGED', 'invalid']);
    expect(refused.message).toContain('/dir/file');
    expect(refused.message).toContain(found);
  });

  it('of a newer version is refused with both versions', async () => {
    const { crc32 } = await import('node:zlib');
    const newer = Buffer.from(file);
    newer[8] = 2;
    newer.writeUInt32BE(crc32(newer.subarray(0, 12)), 12);
    expect((await refusal(newer)).message).toContain('it has version 2, and this Weir reads 1');
  });

  it('from which a whole block is missing is refused by its counts', async () => {
    const rows: Rows = Array.from({ length: 5_000 }, (_, n) => [`key ${n}`, 'y'.repeat(200)] as const);
    const large = fileOf(rows);
    const [first, second] = [16, 16 + 20 + large.readUInt32BE(16 + 4)];
    const without = Buffer.concat([large.subarray(0, first), large.subarray(second)]);
    expect((await refusal(without)).message).toMatch(/it has \d+ bytes and \d+ rows, and was written with/);
  });
});
