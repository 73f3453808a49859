import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeStateBackendConformance } from '@weir/testing/conformance';
import { rocksdb } from './rocksdb-backend.js';

describeStateBackendConformance('rocksdb', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
  return {
    factory: rocksdb({ dir, lockTimeoutMs: 50 }),
    durable: true,
    dispose: () => rm(dir, { recursive: true, force: true }),
  };
});
