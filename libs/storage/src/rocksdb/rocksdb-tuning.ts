import { errors } from '../errors.js';
import type { DatabaseOptions } from './rocksdb-binding.js';

export const COMPRESSIONS = ['none', 'zstd'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

/** Process-wide, in bytes. */
export const DEFAULT_MEMORY_BUDGET_BYTES = 512 * 1024 * 1024;

/** What a store takes whatever its part is: threads, tables of open files, the cache's own table. Measured: 1.3 to 2 MB. */
const STORE_OVERHEAD_BYTES = 2 * 1024 * 1024;
/** Below it a memtable would hold little more than its own bookkeeping. */
export const LEAST_STORE_BYTES = STORE_OVERHEAD_BYTES + 4 * 1024 * 1024;

/** The binding takes the size of a cache as 32 bits. */
const LARGEST_CACHE_BYTES = 0xffff_ffff;

/**
 * Options of one of `maxStores` stores that share a budget. The binding knows no cache and no write buffer that databases could share,
 * so each gets its part of the whole. Of a part, less what any store takes:
 * - a quarter is the memtable budget M. RocksDB fills memtables of M/4, writes them out in pairs, and stops the writer at six: M/2 as
 *   a rule, 3M/2 at worst, which is 3/8 of the part;
 * - a half is the block cache. Index and filter blocks live in it, too; outside, they would grow with the data;
 * - the rest is left to blocks being written by flushes and compactions, and to the allocator.
 * Measured: 1, 8, 32 and 64 stores over 256 MB stay below it (bench/state-store.bench.mjs memory-use).
 *
 * `none` compacts by size ("universal"), as Kafka Streams does: reads of blocks that the cache does not hold cost half as much as with
 * zstd, at up to twice the disk space. `zstd` compacts by level, and compresses from level 2 on.
 * @throws WeirError `invalid` STATE_BUDGET_TOO_SMALL
 */
export function tune(budgetBytes: number, maxStores: number, compression: Compression): DatabaseOptions {
  const share = Math.floor(budgetBytes / maxStores);
  if (share < LEAST_STORE_BYTES) throw errors.budgetTooSmall({ budgetBytes, maxStores, leastBytes: LEAST_STORE_BYTES });
  const part = share - STORE_OVERHEAD_BYTES;
  return {
    createIfMissing: true,
    compaction: compression === 'none' ? 'universal' : 'level',
    memtableMemoryBudget: Math.floor(part / 4),
    compression: compression === 'zstd',
    // The log of writes lives for seconds; compressing it costs more than writing it.
    walCompression: false,
    cacheSize: Math.min(Math.floor(part / 2), LARGEST_CACHE_BYTES),
    cacheIndexAndFilterBlocks: true,
    optimize: 'point-lookup',
    parallelism: 2,
  };
}
