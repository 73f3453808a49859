export { memory, type MemoryOptions } from './memory/memory-backend.js';
export { rocksdb, type Compression, type RocksdbOptions } from './rocksdb/rocksdb-backend.js';
