import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { incarnation, offset, RecordWriter, type StateBackend, type StateStore, taskIndex } from '@weir/core';
import { rocksdb } from '@weir/storage';
import { copyStores, readStores } from './read-stores.js';
import { storeDigest } from './store-digest.js';

let dir: string;
let backend: StateBackend;
let store: StateStore;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-read-stores-'));
  backend = await rocksdb({ dir: join(dir, 'state'), memoryBudgetBytes: 64 * 1024 * 1024 }).open(2);
  store = await backend.open({ applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(1) });
});

afterEach(async () => {
  await backend.close();
  await rm(dir, { recursive: true, force: true });
});

async function put(key: string, value: string, at: number): Promise<void> {
  const rows = new RecordWriter();
  rows.add(0, Buffer.from(key), Buffer.from(value));
  await store.apply(rows.columns, { offset: offset(at), topicId: 't', leaderEpoch: 0, writtenAt: 1 });
}

const digestOf = (entries: Record<string, string>): string =>
  storeDigest(Object.entries(entries).map(([key, value]) => [Buffer.from(key).toString('hex'), Buffer.from(value)]));

describe('copies of stores', () => {
  it('hold what the store held when each was made, with its position', async () => {
    await put('a', '1', 10);
    await copyStores(join(dir, 'state'), join(dir, 'copies', 'life-1'));
    await put('b', '2', 20);
    await copyStores(join(dir, 'state'), join(dir, 'copies', 'life-2'));
    expect(await readStores(join(dir, 'copies'), 'app', [2])).toEqual([
      { name: 'life-1', stage: 0, task: 1, offset: 10, entries: 1, digest: digestOf({ a: '1' }) },
      { name: 'life-2', stage: 0, task: 1, offset: 20, entries: 2, digest: digestOf({ b: '2', a: '1' }) },
    ]);
  });

  it('of a process that died before it wrote anything have no position, and one that died before it made a store has none', async () => {
    await copyStores(join(dir, 'state'), join(dir, 'copies', 'life-1'));
    await mkdir(join(dir, 'copies', 'life-2'));
    expect(await readStores(join(dir, 'copies'), 'app', [2])).toEqual([
      { name: 'life-1', stage: 0, task: 1, offset: undefined, entries: 0, digest: digestOf({}) },
    ]);
  });
});
