import { describe, expect, it } from '@jest/globals';
import { ByteWriter, RecordColumns, RecordWriter, WeirError, decodeHeaders, encodeHeaders } from '@weir/core';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import zlib from 'node:zlib';
import type { KafkaCompression } from '../options.js';
import { AT } from './batch-format.js';
import { encodeBatch } from './batch-encoder.js';
import { RecordSetReader } from './record-set-reader.js';
import { batch, marker, readBack, stamp } from '../spec/batches.js';

const COMPRESSIONS: readonly KafkaCompression[] = [
  'none',
  'gzip',
  'snappy',
  'lz4',
  ...('zstdCompressSync' in zlib ? (['zstd'] as const) : []),
];
const PLAIN = { producerId: -1, producerEpoch: -1, sequence: -1, transactional: false };

const refusal = (bytes: Buffer, from = 0): WeirError => {
  try {
    readBack(bytes, [], from);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(WeirError);
    return thrown as WeirError;
  }
  throw new Error('the bytes were taken');
};

describe('a record set', () => {
  it('is read a limited number of rows at a time, over batches and within them', () => {
    const set = Buffer.concat([
      batch({ base: 5, values: ['a', 'b', 'c', 'd'] }),
      batch({ base: 9, values: ['e'] }),
      batch({ base: 10, values: ['f', 'g'] }),
    ]);
    const reader = new RecordSetReader('topic', 0);
    reader.start(set, 5, []);
    const columns = new RecordColumns();
    const counts: number[] = [];
    const positions: number[] = [];
    for (let more = true; more;) {
      more = reader.read(columns, 3);
      counts.push(columns.count);
      positions.push(reader.position);
    }
    expect(counts).toEqual([3, 3, 1]);
    expect(positions).toEqual([8, 11, 12]);
  });

  it('goes on in a batch that was cut, whoever has filled the same columns meanwhile', () => {
    const columns = new RecordColumns();
    const valuesOf = () => Array.from({ length: columns.count }, (_, row) => columns.value(row)!.toString());
    const [one, two] = [new RecordSetReader('topic', 0), new RecordSetReader('topic', 1)];
    one.start(batch({ base: 0, values: ['a', 'b', 'c', 'd', 'e'] }), 0, []);
    two.start(batch({ base: 0, values: ['vvvv', 'wwww', 'xxxx', 'yyyy', 'zzzz'] }), 0, []);
    const seen: string[][] = [];
    for (let turn = 0; turn < 3; turn++) {
      for (const reader of [one, two]) {
        reader.read(columns, 2);
        seen.push(valuesOf());
      }
    }
    expect(seen).toEqual([['a', 'b'], ['vvvv', 'wwww'], ['c', 'd'], ['xxxx', 'yyyy'], ['e'], ['zzzz']]);
  });

  it('is read from the middle of a batch', () => {
    const set = batch({ base: 5, values: ['a', 'b', 'c', 'd'] });
    expect(readBack(set, [], 7)).toEqual({ values: ['c', 'd'], offsets: [7, 8], position: 9 });
  });

  it('moves the position behind what compaction took from the end of a batch, and behind a batch without records', () => {
    const set = Buffer.concat([batch({ base: 0, values: ['a'], extraDelta: 4 }), batch({ base: 5, values: [], extraDelta: 2 })]);
    expect(readBack(set)).toEqual({ values: ['a'], offsets: [0], position: 8 });
  });

  it('moves the position behind control batches at its end', () => {
    expect(readBack(Buffer.concat([batch({ base: 0, values: ['a'], producerId: 1 }), marker(1, 1, 'commit')])).position).toBe(2);
  });

  it('ends before a batch that the fetch has cut, wherever it was cut', () => {
    const whole = batch({ base: 0, values: ['a'] });
    const next = batch({ base: 1, values: ['b'] });
    for (let cut = 0; cut < next.length; cut++) {
      expect(readBack(Buffer.concat([whole, next.subarray(0, cut)]))).toEqual({ values: ['a'], offsets: [0], position: 1 });
    }
  });

  it('reads a batch of 150,000 records', () => {
    const writer = new RecordWriter();
    for (let i = 0; i < 150_000; i++) writer.add(i, null, Buffer.from(`${i}`));
    const { bytes, rows } = encodeBatch(writer.columns, 0, 2 ** 30, 'none', PLAIN);
    expect(rows).toBe(150_000);
    const { values, position } = readBack(bytes, [], 0, 4_096);
    expect(values).toHaveLength(150_000);
    expect(values.at(-1)).toBe('149999');
    expect(position).toBe(150_000);
  });

  it('hands out packed batches one at a time, each from a buffer of its own', () => {
    const set = Buffer.concat(COMPRESSIONS.map((compression, i) => batch({ base: i, values: [compression], compression })));
    expect(readBack(set).values).toEqual(COMPRESSIONS);
  });
});

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 200 }), { nil: null });
const arbitraryRow = fc.record({
  timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 45 }), fc.constant(0)),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 20 }), value: bytesOrNull }), { maxLength: 3 }),
});

describe('what is written', () => {
  it.each(COMPRESSIONS)('is read back, whatever it holds and however it is cut into batches: %s', (compression) => {
    fc.assert(
      fc.property(fc.array(arbitraryRow, { minLength: 1, maxLength: 60 }), fc.integer({ min: 100, max: 4_000 }), (rows, limit) => {
        const writer = new RecordWriter();
        for (const { timestamp, key, value, headers } of rows) {
          const block = new ByteWriter();
          encodeHeaders(
            headers.map((header) => ({ key: header.key, value: header.value === null ? null : Buffer.from(header.value) })),
            block,
          );
          writer.add(timestamp, key, value, block.copy());
        }
        const reader = new RecordSetReader('topic', 0);
        const columns = new RecordColumns();
        let row = 0;
        while (row < rows.length) {
          const encoded = encodeBatch(writer.columns, row, limit, compression, PLAIN);
          reader.start(stamp(encoded.bytes, row), row, []);
          for (let more = true; more;) {
            more = reader.read(columns, 7);
            for (let i = 0; i < columns.count; i++, row++) {
              const { timestamp, key, value, headers } = rows[row]!;
              const found = decodeHeaders(columns.buffer, columns.headersStart[i]!, columns.headersEnd[i]!);
              expect(columns.offset[i]).toBe(row);
              expect(columns.timestamp[i]).toBe(timestamp);
              expect(columns.key(i)).toEqual(key === null ? null : Buffer.from(key));
              expect(columns.value(i)).toEqual(value === null ? null : Buffer.from(value));
              expect(found.map((header) => header.key)).toEqual(headers.map((header) => header.key));
              expect(found.map((header) => header.value)).toEqual(
                headers.map(({ value: bytes }) => (bytes === null ? null : Buffer.from(bytes))),
              );
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('damage', () => {
  const good = Buffer.concat([batch({ base: 7, values: ['first', 'second'] }), batch({ base: 9, values: ['third'] })]);

  it('names topic, partition and offset', () => {
    const bad = Buffer.from(good);
    bad[good.length - 3]! ^= 1;
    const error = refusal(bad, 7);
    expect(error).toMatchObject({ kind: 'data', code: 'KAFKA_BATCH_DAMAGED', context: { topic: 'topic', partition: 3, offset: 9 } });
    expect(error.message).toContain('topic-3');
  });

  it('hands out the batches before it first, and says the same at each later read', () => {
    const bad = Buffer.from(good);
    bad[good.length - 3]! ^= 1;
    const reader = new RecordSetReader('topic', 3);
    reader.start(bad, 7, []);
    const columns = new RecordColumns();
    expect(reader.read(columns, 100)).toBe(true);
    expect(columns.count).toBe(2);
    expect(reader.position).toBe(9);
    for (let i = 0; i < 3; i++) expect(() => reader.read(columns, 100)).toThrow(/CRC-32C/);
  });

  it.each<[string, RegExp, (bytes: Buffer) => void]>([
    ['a length that is too small', /length field says 10/, (bytes) => bytes.writeInt32BE(10, AT.batchLength)],
    ['a negative length', /length field says -1/, (bytes) => bytes.writeInt32BE(-1, AT.batchLength)],
    ['an old format', /format is version 1/, (bytes) => (bytes[AT.magic] = 1)],
    ['a huge record count', /2147483647 records/, (bytes) => bytes.writeInt32BE(2 ** 31 - 1, AT.recordCount)],
    ['a negative record count', /record count is -1/, (bytes) => bytes.writeInt32BE(-1, AT.recordCount)],
    ['a record count that is too small', /bytes behind its last record/, (bytes) => bytes.writeInt32BE(1, AT.recordCount)],
    ['a negative last offset delta', /last offset delta is -1/, (bytes) => bytes.writeInt32BE(-1, AT.lastOffsetDelta)],
    ['offsets beyond its last offset delta', /offset is out of order/, (bytes) => bytes.writeInt32BE(0, AT.lastOffsetDelta)],
    ['an offset beyond 2^53', /base offset is beyond 2\^53/, (bytes) => bytes.writeBigInt64BE(2n ** 53n, AT.baseOffset)],
    ['a negative offset', /base offset is -1/, (bytes) => bytes.writeBigInt64BE(-1n, AT.baseOffset)],
    ['an offset that its delta lifts beyond 2^53', /last offset delta/, (bytes) => bytes.writeBigInt64BE(2n ** 53n - 1n, AT.baseOffset)],
    ['a compression that does not exist', /compression is number 7/, (bytes) => (bytes[AT.attributes + 1]! |= 7)],
    ['a record length past the end', /length does not fit/, (bytes) => (bytes[AT.records] = 0x7e)],
    ['a record length of zero', /length does not fit/, (bytes) => (bytes[AT.records] = 0)],
    ['a value length past the end', /value does not fit/, (bytes) => (bytes[AT.records + 5] = 0x7e)],
    ['a negative value length', /value does not fit/, (bytes) => (bytes[AT.records + 5] = 0x03)],
    ['a header count that nothing follows', /headers do not fit/, (bytes) => (bytes[AT.records + 11] = 0x02)],
  ])('is found: %s', (_name, message, damage) => {
    const bytes = stamp(batch({ base: 7, values: ['first', 'second'] }), 7, damage);
    const error = refusal(bytes);
    expect(error.kind).toBe('data');
    expect(error.message).toMatch(message);
  });

  it('of any bytes never gives more than rows or a data error', () => {
    const seeds = [
      batch({ base: 7, values: ['first', 'second'], producerId: 1 }),
      marker(9, 1, 'abort'),
      readFileSync(new URL('../../fixtures/batches/zstd.bin', import.meta.url)),
      ...COMPRESSIONS.map((compression) => batch({ base: 0, values: Array.from({ length: 50 }, (_, i) => `value ${i}`), compression })),
    ];
    const change = fc.tuple(fc.nat(), fc.nat(255));
    fc.assert(
      fc.property(fc.nat(seeds.length - 1), fc.array(change, { maxLength: 6 }), fc.nat(), fc.boolean(), (seed, changes, cut, fixCrc) => {
        const bytes = Buffer.from(seeds[seed]!);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        // With the right CRC, the damage gets past the first gate.
        const stamped = fixCrc ? stamp(bytes, 0, (out) => bytes.copy(out)) : bytes;
        const set = cut % 3 === 0 ? stamped.subarray(0, cut % stamped.length) : stamped;
        try {
          readBack(set, [{ producerId: 1, firstOffset: 0 }]);
        } catch (thrown) {
          if (!(thrown instanceof WeirError) || thrown.kind !== 'data') throw thrown;
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
