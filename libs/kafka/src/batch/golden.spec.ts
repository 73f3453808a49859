import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { ByteWriter, RecordColumns, RecordWriter, decodeHeaders, encodeHeaders, type RecordHeader } from '@weir/core';
import type { KafkaCompression } from '../options.js';
import { encodeBatch } from './batch-encoder.js';
import { RecordSetReader } from './record-set-reader.js';

const golden = (name: string): Buffer => readFileSync(new URL(`../../fixtures/batches/${name}.bin`, import.meta.url));

interface Row {
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly RecordHeader[];
}

const T = 1_547_718_199_000;
const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
const row = (timestamp: number, key: Buffer | null, value: Buffer | null, headers: readonly RecordHeader[] = []): Row => ({
  timestamp,
  key,
  value,
  headers,
});

/** The rows of GoldenBatches.java. */
const ROWS: readonly Row[] = [
  row(T, utf8('sensor_1'), utf8('sensor_1,1547718199,35.8')),
  row(T + 1, null, utf8('no key')),
  row(T + 2, utf8('no value'), null),
  row(0, utf8('timestamp 0'), utf8('before the base')),
  row(T + 10_000_000_000, utf8(''), utf8('')),
  row(T, Buffer.from([0, 0, 0, 0]), Buffer.from([0, 0, 0, 0])),
  row(T, Buffer.from([0xff, 0xfe, 0x80, 1]), utf8('not UTF-8')),
  row(T + 3, utf8('headers'), utf8('three'), [
    { key: 'traceparent', value: utf8('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01') },
    { key: 'null', value: null },
    { key: '\u00fc', value: utf8('') },
  ]),
  ...Array.from({ length: 200 }, (_, i) => row(T + i * 37, utf8(`sensor_${i % 7}`), utf8(`sensor_${i % 7},${1547718199 + i},${i % 50}.5`))),
];

function readAll(bytes: Buffer): { rows: Row[]; offsets: number[]; position: number } {
  const reader = new RecordSetReader('golden', 0);
  reader.start(bytes, 0, []);
  const columns = new RecordColumns();
  const rows: Row[] = [];
  const offsets: number[] = [];
  for (let more = true; more;) {
    more = reader.read(columns, 50);
    for (let i = 0; i < columns.count; i++) {
      const headers = decodeHeaders(columns.buffer, columns.headersStart[i]!, columns.headersEnd[i]!);
      rows.push(row(columns.timestamp[i]!, columns.key(i), columns.value(i), headers));
      offsets.push(columns.offset[i]!);
    }
  }
  return { rows, offsets, position: reader.position };
}

function columnsOf(rows: readonly Row[]): RecordColumns {
  const writer = new RecordWriter();
  for (const { timestamp, key, value, headers } of rows) {
    const block = new ByteWriter();
    encodeHeaders(headers, block);
    writer.add(timestamp, key, value, block.copy());
  }
  return writer.columns;
}

const NOBODY = { producerId: -1, producerEpoch: -1, sequence: -1, transactional: false };

describe('record batches of the Java client', () => {
  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])('are read row by row under compression %s', (name) => {
    const { rows, offsets, position } = readAll(golden(name));
    expect(rows).toEqual(ROWS);
    expect(offsets).toEqual(ROWS.map((_, i) => i));
    expect(position).toBe(ROWS.length);
  });

  it('are written to the same bytes', () => {
    const { bytes, rows } = encodeBatch(columnsOf(ROWS), 0, 1_000_000, 'none', NOBODY);
    expect(rows).toBe(ROWS.length);
    expect(bytes.equals(golden('none'))).toBe(true);
  });

  it('are written to the same bytes within a transaction', () => {
    const producer = { producerId: 4242, producerEpoch: 7, sequence: 2_147_483_600, transactional: true };
    expect(encodeBatch(columnsOf(ROWS), 0, 1_000_000, 'none', producer).bytes.equals(golden('transactional'))).toBe(true);
  });

  it.each<KafkaCompression>(['gzip', 'snappy', 'lz4'])(
    'are no smaller than what is packed here with %s, give or take a quarter, and read back',
    (compression) => {
      const { bytes } = encodeBatch(columnsOf(ROWS), 0, 1_000_000, compression, NOBODY);
      expect(readAll(bytes).rows).toEqual(ROWS);
      expect(bytes.length).toBeLessThan(golden(compression).length * 1.25);
    },
  );

  it('have the time of the broker where the topic says so, and offsets above 2^32', () => {
    const { rows, offsets } = readAll(golden('append-time'));
    expect(new Set(rows.map(({ timestamp }) => timestamp))).toEqual(new Set([T + 999]));
    expect(offsets[0]).toBe(5_000_000_000);
    expect(offsets.at(-1)).toBe(5_000_000_000 + ROWS.length - 1);
  });

  it.each([
    ['commit', 77],
    ['abort', 78],
  ])('of control type %s have no rows, and move the position', (name, offset) => {
    const { rows, position } = readAll(golden(name));
    expect(rows).toEqual([]);
    expect(position).toBe(offset + 1);
  });
});
