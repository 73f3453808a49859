import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StateBackendFactory } from '@weir/core';
import type { StateHarness } from '@weir/testing/conformance';
import { filesystem } from './filesystem/filesystem-backend.js';
import { memory } from './memory/memory-backend.js';
import { rocksdb } from './rocksdb/rocksdb-backend.js';

/** Every backend, over a directory of its own, for the suites of state. */
const BACKENDS: Readonly<Record<string, (dir: string) => StateBackendFactory>> = {
  memory: () => memory(),
  rocksdb: (dir) => rocksdb({ dir, memoryBudgetBytes: 12 * 1024 * 1024 }),
  filesystem: (dir) => filesystem({ dir }),
};

export const HARNESSES: readonly (readonly [name: string, make: () => Promise<StateHarness>])[] = Object.entries(BACKENDS).map(([name, make]) => [
  name,
  async () => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
    const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
    // There are no local files beside the snapshots, which are the only copy of the state.
    const wipe = name === 'filesystem' ? async (): Promise<void> => undefined : remove;
    return { factory: make(dir), wipe, dispose: remove };
  },
]);
