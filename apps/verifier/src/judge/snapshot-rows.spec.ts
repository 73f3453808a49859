import { describe, expect, it } from '@jest/globals';
import { snapshotRows } from './snapshot-rows.js';

/** As libs/storage writes it: see its specs. */
const GOLDEN =
  '77656972736e61700100000082b3aa19' + '010000000000001c0000000362eb83353d021e13' +
  '0000000200000001616231' + '00000001ffffffffff' + '0000000000000000' + '020000000000001000000000205cc278a55d186f40590000000000004008000000000000';

describe('the rows of a snapshot, as the judge reads them', () => {
  it('are those that were written, deletions too', () => {
    expect([...snapshotRows(Buffer.from(GOLDEN, 'hex'))]).toEqual([
      { key: '6162', value: Buffer.from('1') },
      { key: 'ff', value: null },
      { key: '', value: Buffer.alloc(0) },
    ]);
  });

  it.each([
    ['of another sort', '00'.repeat(40)],
    ['of a newer version', GOLDEN.replace('6e617001', '6e617002')],
    ['that is cut', GOLDEN.slice(0, 80)],
    ['without its end', GOLDEN.slice(0, (16 + 48) * 2)],
  ])('are refused in a file %s', (_, hex) => {
    expect(() => [...snapshotRows(Buffer.from(hex, 'hex'))]).toThrow(/out of range|not a snapshot of version 1|beyond its block|is of type/);
  });
});
