import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeKeyedStateConformance } from '@weir/testing/conformance';
import { memory } from './memory/memory-backend.js';
import { rocksdb } from './rocksdb/rocksdb-backend.js';

describeKeyedStateConformance('memory', async () => ({ factory: memory(), wipe: async () => undefined, dispose: async () => undefined }));

describeKeyedStateConformance('rocksdb', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-keyed-state-'));
  const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
  return { factory: rocksdb({ dir }), wipe: remove, dispose: remove };
});
