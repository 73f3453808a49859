import { describe, expect, it } from '@jest/globals';
import { DEFAULT_MEMORY_BUDGET_BYTES, LEAST_STORE_BYTES, tune } from './rocksdb-tuning.js';

describe('the share of a store in the memory budget', () => {
  it.each([1, 4, 8, 64])('never exceeds its part with its cache and six memtables, of %i stores', (maxStores) => {
    const { cacheSize, memtableMemoryBudget } = tune(DEFAULT_MEMORY_BUDGET_BYTES, maxStores, 'none');
    const overhead = 2 * 1024 * 1024;
    expect(cacheSize).toBe((DEFAULT_MEMORY_BUDGET_BYTES / maxStores - overhead) / 2);
    expect(cacheSize + 6 * (memtableMemoryBudget / 4)).toBeLessThanOrEqual(DEFAULT_MEMORY_BUDGET_BYTES / maxStores - overhead);
  });

  it('is refused when it is too small to work, with what would do', () => {
    expect(tune(8 * LEAST_STORE_BYTES, 8, 'none').cacheSize).toBe(2 * 1024 * 1024);
    expect(() => tune(8 * LEAST_STORE_BYTES - 8, 8, 'none')).toThrow(/Set memoryBudgetBytes to 50331648 or more/);
  });

  it('stays within the 32 bits that the binding takes for a cache', () => {
    expect(tune(2 ** 36, 1, 'none').cacheSize).toBe(2 ** 32 - 1);
  });

  it('compacts by size without compression, and by level with zstd', () => {
    expect(tune(2 ** 28, 1, 'none')).toMatchObject({ compaction: 'universal', compression: false });
    expect(tune(2 ** 28, 1, 'zstd')).toMatchObject({ compaction: 'level', compression: true });
  });
});
