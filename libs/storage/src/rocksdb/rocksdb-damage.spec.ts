import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { incarnation, isWeirError, offset, RecordWriter, taskIndex, type StateStore, type StoreScope } from '@weir/core';
import { loadBinding, type DatabaseHandle, type RocksdbBinding } from './rocksdb-binding.js';
import { rocksdb } from './rocksdb-backend.js';

const SCOPE: StoreScope = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };
const BATCHES = 40;

let root: string;
let dir: string;
let files: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'weir-state-'));
  useDirectory('sound');
});
afterEach(() => rm(root, { recursive: true, force: true }));

function useDirectory(name: string): void {
  dir = join(root, name);
  files = join(dir, 'app/0/0-0');
}

async function opened<T>(use: (store: StateStore) => T | Promise<T>): Promise<T> {
  // So small a budget has memtables of 256 KB: the history below is spread over several files, and the log of writes.
  const backend = await rocksdb({ dir, memoryBudgetBytes: 6 * 1024 * 1024, lockTimeoutMs: 200 }).open(1);
  try {
    return await use(await backend.open(SCOPE));
  } finally {
    await backend.close();
  }
}

const attempt = (use: (store: StateStore) => unknown = () => undefined): Promise<unknown> =>
  opened(use).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );

/** Batch n sets 200 of 701 keys to n. */
async function write(store: StateStore, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) {
    const writer = new RecordWriter();
    for (let j = 0; j < 200; j++) writer.add(0, Buffer.from(`key-${(n * 31 + j) % 701}`), Buffer.alloc(100, n));
    await store.apply(writer.columns, { offset: offset(n), topicId: 'log', leaderEpoch: 0, writtenAt: n });
  }
}

function contentAt(position: number): Map<string, number> {
  const content = new Map<string, number>();
  for (let n = 1; n <= position; n++) for (let j = 0; j < 200; j++) content.set(`key-${(n * 31 + j) % 701}`, n);
  return content;
}

function expectAgreement(store: StateStore): number {
  const position = store.position?.offset ?? 0;
  const content = new Map([...store.scan(Buffer.from('key-'))].map(({ key, value }) => [key.toString(), value[0]!]));
  expect(new Map([...content].sort())).toEqual(new Map([...contentAt(position)].sort()));
  return position;
}

const named = async (pattern: RegExp): Promise<string[]> => (await readdir(files)).filter((file) => pattern.test(file)).sort();
const newest = async (pattern: RegExp): Promise<string> => join(files, (await named(pattern)).at(-1)!);

/** A copy of the sound store, to be damaged. */
async function copied(name: string): Promise<void> {
  const sound = join(root, 'sound');
  useDirectory(name);
  await cp(sound, dir, { recursive: true });
}

async function overwrite(path: string, from: number, to: number): Promise<void> {
  const bytes = await readFile(path);
  for (let i = from; i < Math.min(to, bytes.length); i++) bytes[i]! ^= 0xa5;
  await writeFile(path, bytes);
}

describe('a RocksDB store whose process or machine died (trap 6)', () => {
  it('comes back with a position that agrees with its data, wherever its log of writes was cut or garbled', async () => {
    await opened((store) => write(store, 1, BATCHES));
    const log = await newest(/\.log$/);
    const { size } = await stat(log);
    expect(size).toBeGreaterThan(10_000);
    const positions = new Set<number>();
    for (let cut = 0; cut < 20; cut++) {
      await copied(`cut-${cut}`);
      const at = Math.floor((size * cut) / 20);
      if (cut % 2 === 0) await truncate(await newest(/\.log$/), at);
      else await overwrite(await newest(/\.log$/), at, at + 500);
      positions.add(await opened(expectAgreement));
    }
    expect(positions.size).toBeGreaterThan(3);
  });

  it('comes back with a position that agrees with its data when every log of writes is lost', async () => {
    await opened((store) => write(store, 1, 200));
    for (const log of await named(/\.log$/)) await rm(join(files, log));
    const position = await opened(expectAgreement);
    expect(position).toBeGreaterThan(0);
    expect(position).toBeLessThan(200);
  });

  it('goes on from there, and is not thrown away again at every start', async () => {
    await opened((store) => write(store, 1, BATCHES));
    await truncate(await newest(/\.log$/), 10_000);
    const position = await opened(expectAgreement);
    await opened((store) => write(store, position + 1, BATCHES + 5));
    expect(await opened(expectAgreement)).toBe(BATCHES + 5);
    expect(await opened(expectAgreement)).toBe(BATCHES + 5);
  });
});

describe('a RocksDB store with damaged files', () => {
  const damages: Record<string, () => Promise<unknown>> = {
    'a truncated table': async () => truncate(await newest(/\.sst$/), 100),
    'a missing table': async () => rm(await newest(/\.sst$/)),
    'garbage for its CURRENT': () => writeFile(join(files, 'CURRENT'), 'garbage'),
    'an empty CURRENT': () => writeFile(join(files, 'CURRENT'), ''),
    'no CURRENT': () => rm(join(files, 'CURRENT')),
    'garbage for its MANIFEST': async () => writeFile(await newest(/^MANIFEST/), Buffer.alloc(1000, 0x41)),
    'an empty MANIFEST': async () => writeFile(await newest(/^MANIFEST/), ''),
    'no MANIFEST': async () => rm(await newest(/^MANIFEST/)),
  };

  it.each(Object.entries(damages))('is reported as damaged, destroyed, and opened anew, with %s', async (_, damage) => {
    await opened((store) => write(store, 1, 200));
    await damage();
    const thrown = await attempt();
    expect(thrown).toMatchObject({ kind: 'rebuild-state', code: 'STATE_DAMAGED', message: expect.stringContaining(files) });

    const backend = await rocksdb({ dir }).open(1);
    await backend.destroy(SCOPE);
    await backend.close();
    expect(await readdir(join(dir, 'app/0'))).toEqual([]);
    await opened(async (store) => {
      expect(store.position).toBeUndefined();
      expect([...store.scan(new Uint8Array())]).toEqual([]);
      await write(store, 1, 3);
    });
    expect(await opened(expectAgreement)).toBe(3);
  });

  it('fails the read that meets a block with a wrong checksum, and every later call, by the same error', async () => {
    await opened((store) => write(store, 1, 200));
    // Without the log of writes, whose entries would answer from memory.
    for (const log of await named(/\.log$/)) await rm(join(files, log));
    for (const table of await named(/\.sst$/)) await overwrite(join(files, table), 0, 3000);
    const keys = Array.from({ length: 701 }, (_, i) => Buffer.from(`key-${i}`));
    for (const read of [
      (store: StateStore) => store.getMany(keys),
      (store: StateStore) => keys.map((key) => store.get(key)),
      (store: StateStore) => [...store.scan(new Uint8Array())],
    ]) {
      const thrown = await attempt(async (store) => {
        let first: unknown;
        try {
          read(store);
        } catch (cause) {
          first = cause;
        }
        expect(isWeirError(first)).toBe(true);
        expect(() => store.get(Buffer.from('other'))).toThrow(first);
        await expect(write(store, 201, 201)).rejects.toBe(first);
        throw first;
      });
      expect(thrown).toMatchObject({ kind: 'rebuild-state', code: 'STATE_DAMAGED' });
    }
  });

  it('is reported as damaged when its position cannot be understood, or is missing beside data', async () => {
    await opened((store) => write(store, 1, 1));
    await raw((binding, db) => {
      const batch = binding.batch_init();
      binding.batch_put(batch, Buffer.from('fffe00', 'hex'), Buffer.from('09', 'hex'));
      binding.batch_write(db, batch);
    });
    expect(await attempt()).toMatchObject({ code: 'STATE_DAMAGED', message: expect.stringContaining('version 9') });
    await raw((binding, db) => {
      const batch = binding.batch_init();
      binding.batch_del(batch, Buffer.from('fffe00', 'hex'));
      binding.batch_write(db, batch);
    });
    expect(await attempt()).toMatchObject({ code: 'STATE_DAMAGED', message: expect.stringContaining('data and no position') });
  });
});

describe('a RocksDB store whose directory is taken away', () => {
  it('fails its writes once it notices, takes no more, and starts empty when it is opened again', async () => {
    const thrown = await attempt(async (store) => {
      await write(store, 1, 1);
      await rm(dir, { recursive: true });
      await write(store, 2, 1000);
    });
    expect(thrown).toMatchObject({ kind: 'restart-task', code: 'STATE_WRITE_FAILED' });
    expect(await opened((store) => store.position)).toBeUndefined();
  });

  it('leaves the traces of an interrupted destruction out of the way', async () => {
    await opened((store) => write(store, 1, 3));
    await cp(files, `${files}.destroyed`, { recursive: true });
    await rm(files, { recursive: true });
    expect(await opened((store) => store.position)).toBeUndefined();
    expect(await readdir(join(dir, 'app/0'))).toEqual(['0-0']);
  });

  it('is refused, with the path, where there can be no directory', async () => {
    await writeFile(join(root, 'a-file'), '');
    for (const impossible of [join(root, 'a-file'), join(root, 'a-file/below'), '/proc/weir']) {
      const thrown = await rocksdb({ dir: impossible })
        .open(1)
        .catch((cause: unknown) => cause);
      expect(isWeirError(thrown, 'invalid')).toBe(true);
      expect(thrown).toMatchObject({ code: 'STATE_DIR_UNUSABLE', message: expect.stringContaining(impossible) });
    }
  });
});

/** The database without the store around it. */
async function raw(use: (binding: RocksdbBinding, db: DatabaseHandle) => void): Promise<void> {
  const binding = loadBinding();
  const db = binding.db_init(files);
  const options = { createIfMissing: false, compaction: 'universal', optimize: 'point-lookup', memtableMemoryBudget: 1_000_000 } as never;
  await new Promise<void>((done, fail) => binding.db_open(db, options, (cause) => (cause === null ? done() : fail(cause))));
  use(binding, db);
  await new Promise<void>((done) => binding.db_close(db, () => done()));
}
