import { describe, expect, it } from '@jest/globals';
import { statesReport } from './states-report.js';

describe('the report of states', () => {
  it('gives medians and how many times the plain Map they are', () => {
    const nanoseconds = { plain: [90, 100, 300], memory: [200], rocksdb: [150, 250], 'rocksdb-few-cached': [1_200] };
    expect(statesReport([{ title: 'ValueState.value', nanoseconds }]).at(-1)?.split(/\s{2,}/)).toEqual(['ValueState.value', '100', '200', '2.0', '200', '2.0', '1,200', '12.0']);
  });
});
