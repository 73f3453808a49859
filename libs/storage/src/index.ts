export { filesystem, type FilesystemOptions, snapshotting } from './filesystem/filesystem-backend.js';
export { FilesystemSnapshots } from './filesystem/filesystem-snapshots.js';
export { memory, type MemoryOptions } from './memory/memory-backend.js';
export { rocksdb, type Compression, type RocksdbOptions } from './rocksdb/rocksdb-backend.js';
