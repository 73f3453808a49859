import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { incarnation, offset, RecordWriter, taskIndex, type StateStore, type StoreScope } from '@weir/core';
import { describeStateBackendConformance } from '@weir/testing/conformance';
import { rocksdb, type Compression } from './rocksdb-backend.js';

for (const compression of ['none', 'zstd'] as const) {
  describeStateBackendConformance(`rocksdb (compression ${compression})`, async () => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
    return {
      factory: rocksdb({ dir, compression, lockTimeoutMs: 2000 }),
      durable: true,
      dispose: () => rm(dir, { recursive: true, force: true }),
    };
  });
}

describe('the rocksdb backend', () => {
  const life = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0 };
  const scope = (task: number): StoreScope => ({ ...life, task: taskIndex(task) });
  let dir: string;

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
  });
  afterEach(() => rm(dir, { recursive: true, force: true }));

  async function write(store: StateStore, from: number, to: number): Promise<void> {
    for (let n = from; n <= to; n++) {
      const writer = new RecordWriter();
      for (let j = 0; j < 500; j++) writer.add(0, Buffer.from(`key-${(n * 500 + j) % 1999}`), Buffer.alloc(100, n));
      await store.apply(writer.columns, { offset: offset(n), topicId: 'log', leaderEpoch: 0, writtenAt: n });
    }
  }

  it('keeps a store to one opener under two names of its directory', async () => {
    const state = join(dir, 'state');
    const first = await rocksdb({ dir: state }).open(1);
    const store = await first.open(scope(0));
    await symlink(state, join(dir, 'alias'));
    const second = await rocksdb({ dir: join(dir, 'alias'), lockTimeoutMs: 0 }).open(1);
    await expect(second.open(scope(0))).rejects.toMatchObject({ code: 'STATE_LOCKED' });
    await store.close();
    await (await second.open(scope(0))).close();
    await Promise.all([first.close(), second.close()]);
  });

  it('opens no more stores than its budget was divided among, until one is closed', async () => {
    const backend = await rocksdb({ dir }).open(2);
    const [first] = await Promise.all([backend.open(scope(0)), backend.open(scope(1))]);
    await expect(backend.open(scope(2))).rejects.toMatchObject({ kind: 'internal', code: 'STATE_TOO_MANY_STORES' });
    await first.close();
    await backend.open(scope(2));
    await backend.close();
  });

  it('divides its budget among the jobs of a process, and each part among the stores of a job', async () => {
    const whole = rocksdb({ dir, memoryBudgetBytes: 24 * 1024 * 1024 });
    const part = whole.sharedAmong!(2);
    await expect(part.open(3)).rejects.toMatchObject({ code: 'STATE_BUDGET_TOO_SMALL', context: { budgetBytes: 12 * 1024 * 1024, maxStores: 3 } });
    for (const factory of [whole, part]) await (await factory.open(factory === whole ? 4 : 2)).close();
    expect(() => whole.sharedAmong!(0)).toThrow('jobs');
  });

  it('gives up an open that waits for a lock when it is closed', async () => {
    const owner = await rocksdb({ dir }).open(1);
    await owner.open(scope(0));
    const backend = await rocksdb({ dir, lockTimeoutMs: 20_000 }).open(1);
    const waiting = backend.open(scope(0));
    await backend.close();
    await expect(waiting).rejects.toMatchObject({ code: 'STATE_CLOSED' });
    await owner.close();
  });

  it('opens a store that was written with another compression', async () => {
    const opened = async (compression: Compression, use: (store: StateStore) => Promise<void>): Promise<void> => {
      const backend = await rocksdb({ dir, compression, memoryBudgetBytes: 6 * 1024 * 1024 }).open(1);
      await use(await backend.open(scope(0)));
      await backend.close();
    };
    await opened('none', (store) => write(store, 1, 20));
    await opened('zstd', (store) => write(store, 21, 40));
    await opened('none', async (store) => {
      await write(store, 41, 60);
      expect([...store.scan(Buffer.from('key-'))]).toHaveLength(1999);
      expect(store.get(Buffer.from(`key-${(60 * 500) % 1999}`))).toEqual(Buffer.alloc(100, 60));
    });
  });

  it('closes its store under scans that nobody finished', async () => {
    const backend = await rocksdb({ dir }).open(1);
    const store = await backend.open(scope(0));
    await write(store, 1, 4);
    const scans = Array.from({ length: 50 }, () => store.scan(new Uint8Array()));
    for (const scan of scans) scan.next();
    await store.close();
    for (const scan of scans) expect(scan.return?.()).toEqual({ done: true, value: undefined });
    await (await backend.open(scope(0))).close();
    await backend.close();
  });
});
