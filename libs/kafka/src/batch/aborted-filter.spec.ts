import { describe, expect, it } from '@jest/globals';
import { batch, marker, readBack } from '../spec/batches.js';

const ZERO_KEY = Buffer.alloc(4);

describe('records of aborted transactions', () => {
  it('are dropped when the aborts of several producers are interleaved, and the list is in no order', () => {
    const set = Buffer.concat([
      batch({ base: 0, values: ['a1'], producerId: 1 }),
      batch({ base: 1, values: ['b1'], producerId: 2 }),
      batch({ base: 2, values: ['c1'], producerId: 3 }),
      batch({ base: 3, values: ['a2'], producerId: 1 }),
      marker(4, 2, 'abort'),
      batch({ base: 5, values: ['kept b'], producerId: 2 }),
      marker(6, 3, 'abort'),
      batch({ base: 7, values: ['a3'], producerId: 1 }),
      marker(8, 1, 'abort'),
      marker(9, 2, 'commit'),
      batch({ base: 10, values: ['kept plain'] }),
    ]);
    const aborted = [
      { producerId: 3, firstOffset: 2 },
      { producerId: 1, firstOffset: 0 },
      { producerId: 2, firstOffset: 1 },
    ];
    expect(readBack(set, aborted)).toEqual({ values: ['kept b', 'kept plain'], offsets: [5, 10], position: 11 });
  });

  it('are dropped when several transactions begin before the end of one batch: all of them count, not the next one', () => {
    // Three transactions were open when the first batch was written, and it belongs to the one that began last.
    const set = Buffer.concat([
      batch({ base: 10, values: ['c'], producerId: 3 }),
      batch({ base: 11, values: ['kept'] }),
      batch({ base: 12, values: ['a'], producerId: 1 }),
      batch({ base: 13, values: ['b'], producerId: 2 }),
      marker(14, 1, 'abort'),
      marker(15, 2, 'abort'),
      marker(16, 3, 'abort'),
    ]);
    const aborted = [1, 2, 3].map((producerId) => ({ producerId, firstOffset: producerId }));
    expect(readBack(set, aborted, 10).values).toEqual(['kept']);
  });

  it('are dropped in both of two aborts of one producer, and what it committed between and after them is kept', () => {
    const set = Buffer.concat([
      batch({ base: 0, values: ['dropped 1'], producerId: 1 }),
      marker(1, 1, 'abort'),
      batch({ base: 2, values: ['kept 1'], producerId: 1 }),
      marker(3, 1, 'commit'),
      batch({ base: 4, values: ['dropped 2'], producerId: 1 }),
      marker(5, 1, 'abort'),
      batch({ base: 6, values: ['kept 2'], producerId: 1 }),
      marker(7, 1, 'commit'),
    ]);
    const aborted = [
      { producerId: 1, firstOffset: 4 },
      { producerId: 1, firstOffset: 0 },
    ];
    expect(readBack(set, aborted)).toEqual({ values: ['kept 1', 'kept 2'], offsets: [2, 6], position: 8 });
  });

  it('are dropped when reading begins in the middle of the transaction', () => {
    const set = Buffer.concat([
      batch({ base: 20, values: ['dropped 3', 'dropped 4'], producerId: 1 }),
      batch({ base: 22, values: ['kept'], producerId: 2 }),
      marker(23, 1, 'abort'),
      batch({ base: 24, values: ['kept, too'], producerId: 1 }),
    ]);
    const aborted = [{ producerId: 1, firstOffset: 18 }];
    expect(readBack(set, aborted, 21)).toEqual({ values: ['kept', 'kept, too'], offsets: [22, 24], position: 25 });
  });

  it('are dropped although one has a key of four zero bytes, which in a control batch would mean abort', () => {
    const set = Buffer.concat([
      batch({ base: 0, values: ['dropped 1'], producerId: 1, key: ZERO_KEY }),
      batch({ base: 1, values: ['dropped 2'], producerId: 1 }),
      batch({ base: 2, values: ['kept'], producerId: 2, key: ZERO_KEY }),
      marker(3, 1, 'abort'),
      marker(4, 2, 'commit'),
    ]);
    expect(readBack(set, [{ producerId: 1, firstOffset: 0 }]).values).toEqual(['kept']);
  });

  it('stay dropped behind a commit marker: only an abort marker ends an abort', () => {
    const set = Buffer.concat([
      batch({ base: 0, values: ['dropped 1'], producerId: 1 }),
      marker(1, 2, 'abort'),
      marker(2, 1, 'commit'),
      batch({ base: 3, values: ['dropped 2'], producerId: 1 }),
      marker(4, 1, 'abort'),
      batch({ base: 5, values: ['kept'], producerId: 1 }),
    ]);
    expect(readBack(set, [{ producerId: 1, firstOffset: 0 }]).values).toEqual(['kept']);
  });

  it('are kept when they were written outside transactions by a producer that is on the list', () => {
    const set = batch({ base: 0, values: ['kept'] });
    expect(readBack(set, [{ producerId: -1, firstOffset: 0 }]).values).toEqual(['kept']);
  });

  it('move the position when nothing else is there, also at the very end of the log', () => {
    const set = Buffer.concat([batch({ base: 0, values: ['a', 'b'], producerId: 1 }), marker(2, 1, 'abort')]);
    expect(readBack(set, [{ producerId: 1, firstOffset: 0 }])).toEqual({ values: [], offsets: [], position: 3 });
  });
});
