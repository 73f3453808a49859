import { cp, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { incarnation, taskIndex, type StateBackend, type StoreScope } from '@weir/core';
import { rocksdb } from '@weir/storage';
import { type StoreCopy, storeDigest } from './store-digest.js';

/** A small part of memory is enough: each store is read once. */
const BUDGET_BYTES = 256 * 1024 * 1024;

/** Copies a state directory whose owner is dead. */
export async function copyStores(stateDir: string, to: string): Promise<void> {
  await cp(stateDir, to, { recursive: true });
}

/**
 * Reads the copies of a run's state directory: `<dir>/<name of the copy>` each. Opening a store replays RocksDB's own log into the copy;
 * the original is never touched.
 * @param tasks how many tasks each stage has; each task has a store, unless its process died before it made one
 */
export async function readStores(dir: string, applicationId: string, tasks: readonly number[]): Promise<StoreCopy[]> {
  const copies: StoreCopy[] = [];
  for (const name of await readdir(dir)) {
    const made = await readdir(join(dir, name, applicationId, '0')).catch((): string[] => []);
    if (made.length === 0) continue;
    const backend = await rocksdb({ dir: join(dir, name), memoryBudgetBytes: BUDGET_BYTES }).open(tasks.reduce((sum, count) => sum + count, 0));
    try {
      for (const [subTopology, count] of tasks.entries()) {
        for (let task = 0; task < count; task++) {
          const scope = { applicationId, incarnation: incarnation(0), subTopology, task: taskIndex(task) };
          if (made.includes(`${subTopology}-${task}`)) copies.push(await readStore(backend, name, scope));
        }
      }
    } finally {
      await backend.close();
    }
  }
  return copies;
}

async function readStore(backend: StateBackend, name: string, scope: StoreScope): Promise<StoreCopy> {
  const store = await backend.open(scope);
  try {
    const entries: [string, Buffer][] = [];
    for (const { key, value } of store.scan(Buffer.alloc(0))) entries.push([key.toString('hex'), value]);
    return { name, stage: scope.subTopology, task: scope.task, offset: store.position?.offset, digest: storeDigest(entries), entries: entries.length };
  } finally {
    await store.close();
  }
}
