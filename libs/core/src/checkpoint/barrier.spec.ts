import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { checkpointId } from '../model/brands.js';
import { NULL, RecordWriter } from '../model/record-columns.js';
import { BARRIER_VERSION, barrierIn, writeBarrier } from './barrier.js';

const withValue = (hex: string | null): RecordWriter => {
  const writer = new RecordWriter();
  writer.add(0, null, hex === null ? null : Buffer.from(hex, 'hex'));
  return writer;
};

describe('a barrier in a repartition topic', () => {
  it('has version 1, no key, and the bytes that it always had', () => {
    const writer = new RecordWriter();
    writeBarrier(writer, { id: checkpointId(7), writer: '0-12' }, 99);
    const { columns } = writer;
    expect(BARRIER_VERSION).toBe(1);
    expect([columns.count, columns.timestamp[0], columns.keyStart[0]]).toEqual([1, 99, NULL]);
    expect(columns.value(0)!.toString('hex')).toBe('01' + '00' + '401c000000000000' + '302d3132');
    expect(barrierIn(columns, 0)).toEqual({ id: 7, writer: '0-12' });
  });

  it('keeps the number of the round, however high', () => {
    const writer = new RecordWriter();
    writeBarrier(writer, { id: checkpointId(Number.MAX_SAFE_INTEGER), writer: 'x' }, 0);
    expect(barrierIn(writer.columns, 0)!.id).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('is told from shuffled records, which have a key, be it empty', () => {
    const writer = new RecordWriter();
    writer.add(0, Buffer.from('key'), null);
    writer.add(0, Buffer.alloc(0), Buffer.from([1, 0]));
    expect([barrierIn(writer.columns, 0), barrierIn(writer.columns, 1)]).toEqual([undefined, undefined]);
  });

  it.each([
    ['a tombstone', null, 'version none'],
    ['nothing', '', 'version none'],
    ['a cut', '0100401c00000000', 'version 1'],
    ['a newer version', '0200401c000000000000302d3132', 'version 2'],
  ])('is refused where it is %s', (_, hex, text) => {
    const { columns } = withValue(hex);
    columns.offset[0] = 12;
    const thrown = thrownBy(() => barrierIn(columns, 0));
    expect([thrown.code, thrown.kind]).toEqual(['BARRIER_UNREADABLE', 'invalid']);
    expect(thrown.message).toContain('at offset 12 of a repartition topic');
    expect(thrown.message).toContain(text);
  });
});
