import { describe, expect, it } from '@jest/globals';
import { offset, type LogChunk, type LogReader } from '@weir/core';
import { collectRecords, columnsOf, recordAt, recordsOfChunk, type RecordRow } from './log-record.js';

const ROWS: RecordRow[] = [
  { key: 'k', value: 'v', timestamp: 5, headers: [{ key: 'h', value: Buffer.from('1') }, { key: 'n', value: null }] },
  { key: null, value: Buffer.alloc(0) },
  {},
];

function chunkOf(rows: readonly RecordRow[], first: number): LogChunk {
  const records = columnsOf(rows);
  for (let row = 0; row < records.count; row++) records.offset[row] = first + row;
  return { topic: 't', partition: 1, records, nextOffset: offset(first + rows.length), lastStable: offset(99) };
}

/** Hands out chunks, one a turn. */
function readerOf(chunks: (LogChunk | undefined)[]): LogReader {
  const none = (): void => undefined;
  return { assign: none, unassign: none, pause: none, resume: none, take: () => chunks.shift(), close: () => Promise.resolve() };
}

describe('records in specs', () => {
  it('come back from columns as they went in', () => {
    const columns = columnsOf(ROWS);
    expect(recordAt(columns, 0, 't', 3)).toEqual({
      topic: 't',
      partition: 3,
      offset: -1,
      timestamp: 5,
      key: Buffer.from('k'),
      value: Buffer.from('v'),
      headers: ROWS[0]!.headers,
    });
    expect(recordAt(columns, 1, 't', 0)).toMatchObject({ key: null, value: Buffer.alloc(0), timestamp: 0, headers: [] });
    expect(recordAt(columns, 2, 't', 0)).toMatchObject({ key: null, value: null });
  });

  it('are copies: what happens to the chunk later does not change them', () => {
    const chunk = chunkOf(ROWS, 7);
    const records = recordsOfChunk(chunk);
    chunk.records.buffer.fill(0);
    expect(records.map((record) => [record.offset, record.key?.toString() ?? null])).toEqual([
      [7, 'k'],
      [8, null],
      [9, null],
    ]);
  });

  it('are collected until it is enough, over turns in which nothing comes', async () => {
    const chunks = [chunkOf(ROWS, 0), undefined, undefined, chunkOf(ROWS, 3), chunkOf(ROWS, 6)];
    let turns = 0;
    const settle = (): Promise<void> => Promise.resolve(void turns++);
    const records = await collectRecords(readerOf(chunks), (all) => all.length >= 6, settle);
    expect(records.map((record) => record.offset)).toEqual([0, 1, 2, 3, 4, 5]);
    expect([turns, chunks.length]).toEqual([2, 1]);
  });

  it('that never come are an error, which says how far it got', async () => {
    const collected = collectRecords(readerOf([chunkOf(ROWS, 0)]), () => false, () => Promise.resolve(), 5);
    await expect(collected).rejects.toMatchObject({ code: 'NEVER_ENOUGH', context: { turns: 5, records: 3, last: 2 } });
  });
});
