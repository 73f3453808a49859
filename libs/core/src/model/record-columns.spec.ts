import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { NULL, RecordColumns, RecordWriter } from './record-columns.js';

interface Row {
  readonly timestamp: number;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  readonly headers: Uint8Array;
}

const bytes = fc.uint8Array({ maxLength: 30 });
const row: fc.Arbitrary<Row> = fc.record({ timestamp: fc.nat(), key: fc.option(bytes), value: fc.option(bytes), headers: bytes });

const rowsOf = (columns: RecordColumns): Row[] =>
  Array.from({ length: columns.count }, (_, i) => ({
    timestamp: columns.timestamp[i]!,
    key: columns.key(i) && Uint8Array.from(columns.key(i)!),
    value: columns.value(i) && Uint8Array.from(columns.value(i)!),
    headers: Uint8Array.from(columns.buffer.subarray(columns.headersStart[i], columns.headersEnd[i])),
  }));

describe('RecordWriter', () => {
  it('gives back every row as it was added: null, empty and full keys and values, with and without headers', () => {
    fc.assert(
      fc.property(fc.array(row, { maxLength: 30 }), fc.nat(16), (rows, capacity) => {
        const writer = new RecordWriter(capacity);
        for (const { timestamp, key, value, headers } of rows) writer.add(timestamp, key, value, headers);
        expect(rowsOf(writer.columns)).toEqual(rows);
        expect(writer.byteLength).toBe(rows.reduce((sum, { key, value, headers }) => sum + (key?.length ?? 0) + (value?.length ?? 0) + headers.length, 0));
      }),
      { numRuns: 25 },
    );
  });

  it('keeps null and empty apart', () => {
    const writer = new RecordWriter();
    writer.add(1, new Uint8Array(0), new Uint8Array(0));
    writer.add(1, null, null);
    expect([writer.columns.key(0), writer.columns.value(0)]).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
    expect([writer.columns.keyStart[1], writer.columns.keyEnd[1], writer.columns.valueStart[1], writer.columns.valueEnd[1]]).toEqual([NULL, NULL, NULL, NULL]);
  });

  it('grows beyond its initial rows', () => {
    const writer = new RecordWriter();
    for (let i = 0; i < 1_000; i++) writer.add(i, Buffer.from([i & 0xff]), Buffer.from([i >> 8]));
    expect(writer.count).toBe(1_000);
    expect([writer.columns.timestamp[999], writer.columns.key(999)![0], writer.columns.value(999)![0]]).toEqual([999, 999 & 0xff, 3]);
    expect([writer.columns.timestamp[0], writer.columns.key(0)![0]]).toEqual([0, 0]);
  });

  it.each(['key', 'value'] as const)('leaves no row and no byte behind when the encode of the %s throws', (part) => {
    const writer = new RecordWriter(4);
    writer.add(1, Buffer.from('a'), Buffer.from('b'));
    writer.begin(2);
    writer.bytes.writeUtf8('half of a key');
    if (part === 'value') {
      writer.keyDone();
      writer.bytes.writeUtf8('half of a value');
    }
    expect([writer.count, writer.byteLength]).toEqual([1, 2]);
    writer.add(3, Buffer.from('c'), null);
    expect(rowsOf(writer.columns).map(({ timestamp, key, value }) => [timestamp, key && Buffer.from(key).toString(), value && Buffer.from(value).toString()])).toEqual([
      [1, 'a', 'b'],
      [3, 'c', null],
    ]);
    expect(writer.byteLength).toBe(3);
  });

  it('keeps earlier rows readable when a later one makes the buffer grow', () => {
    const writer = new RecordWriter(4);
    writer.add(1, Buffer.from('ab'), Buffer.from('cd'));
    writer.begin(2);
    writer.bytes.writeBytes(Buffer.alloc(100, 1));
    expect(writer.columns.key(0)!.toString()).toBe('ab');
    writer.keyDone();
    writer.end();
    expect(writer.columns.value(0)!.toString()).toBe('cd');
    expect(writer.columns.key(1)).toEqual(Buffer.alloc(100, 1));
  });

  it('forgets everything at clear, and fills the same buffers again', () => {
    const writer = new RecordWriter();
    writer.add(1, Buffer.from('key'), null, Buffer.from('headers'));
    const { columns } = writer;
    const { buffer } = columns;
    writer.clear();
    expect([writer.count, writer.byteLength]).toEqual([0, 0]);
    writer.add(2, null, Buffer.from('v'));
    expect(writer.columns).toBe(columns);
    expect(columns.buffer).toBe(buffer);
    expect(rowsOf(columns)).toEqual([{ timestamp: 2, key: null, value: Uint8Array.from([0x76]), headers: new Uint8Array(0) }]);
  });
});

describe('RecordColumns', () => {
  it('reserves rows without losing those it has, and never shrinks', () => {
    const columns = new RecordColumns();
    columns.offset[0] = 2 ** 53 - 1;
    columns.keyStart[255] = 7;
    columns.reserve(257);
    expect([columns.offset[0], columns.keyStart[255], columns.offset.length]).toEqual([2 ** 53 - 1, 7, 512]);
    columns.reserve(1);
    expect(columns.headersEnd.length).toBe(512);
  });
});
