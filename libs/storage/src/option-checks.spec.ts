import { describe, expect, it } from '@jest/globals';
import { memory } from './memory/memory-backend.js';
import { rocksdb } from './rocksdb/rocksdb-backend.js';

const refusal = (make: () => unknown): string => {
  try {
    make();
  } catch (thrown) {
    return (thrown as Error).message;
  }
  throw new Error('expected a refusal');
};

describe('options of the state backends', () => {
  it('are refused by name when the backend is made, with what came and what is allowed', () => {
    expect(refusal(() => rocksdb({ dir: '' }))).toMatch(/dir .* takes the path of a directory, and "" came/);
    expect(refusal(() => rocksdb({ dir: undefined as never }))).toMatch(/dir/);
    expect(refusal(() => rocksdb({ dir: '/d', memoryBudgetBytes: 1.5 }))).toMatch(/memoryBudgetBytes .* bytes above 0, and 1.5 came/);
    expect(refusal(() => rocksdb({ dir: '/d', compression: 'lz4' as never }))).toMatch(/compression .* one of none, zstd, and "lz4" came/);
    expect(refusal(() => rocksdb({ dir: '/d', lockTimeoutMs: -1 }))).toMatch(/lockTimeoutMs .* -1 came/);
    expect(refusal(() => rocksdb({ dir: '/d', lockTimeoutMs: Number.NaN }))).toMatch(/lockTimeoutMs/);
    expect(refusal(() => memory({ lockTimeoutMs: '5' as never }))).toMatch(/lockTimeoutMs .* "5" came/);
  });

  it('are refused when the backend is opened for no stores, or for more than the budget can serve', async () => {
    await expect(rocksdb({ dir: '/d' }).open(0)).rejects.toMatchObject({ kind: 'invalid', code: 'STATE_OPTION_INVALID' });
    await expect(rocksdb({ dir: '/d' }).open(1000)).rejects.toMatchObject({ kind: 'invalid', code: 'STATE_BUDGET_TOO_SMALL' });
  });
});
