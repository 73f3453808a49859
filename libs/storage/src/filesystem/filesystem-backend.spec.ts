import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { incarnation, offset, RecordWriter, taskIndex, type SnapshotReference, type StoreScope } from '@weir/core';
import { describeStateBackendConformance } from '@weir/testing/conformance';
import { filesystem } from './filesystem-backend.js';

const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'weir-filesystem-'));

// Not durable: what was applied without a snapshot is the heap's alone.
describeStateBackendConformance('filesystem', async () => {
  const dir = await temporary();
  return { factory: filesystem({ dir, lockTimeoutMs: 200 }), durable: false, dispose: () => rm(dir, { recursive: true, force: true }) };
});

const SCOPE: StoreScope = { applicationId: 'app', incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };

describe('the filesystem backend', () => {
  it('brings 50,000 entries back from real files, and goes on from there', async () => {
    const dir = await temporary();
    try {
      const position = { offset: offset(1), topicId: 'log', leaderEpoch: 0, writtenAt: 0 };
      let reference: SnapshotReference | undefined;
      for (let life = 0; life < 3; life++) {
        const backend = await filesystem({ dir }).open(1);
        await backend.beforeClaim!(SCOPE);
        const store = await backend.open(SCOPE);
        await store.apply(new RecordWriter().columns, position);
        if (reference !== undefined) await store.snapshots!.load(reference, () => true);
        for (let epoch = 0; epoch < 5; epoch++) {
          const changes = new RecordWriter();
          for (let n = 0; n < 10_000; n++) changes.add(0, Buffer.from(`key-${(epoch * 10_000 + n) % 50_000}`), Buffer.from(`${life} and padding of some length`));
          reference = await store.snapshots!.take(changes.columns);
          await store.apply(changes.columns, position);
        }
        expect(store.getMany(['key-0', 'key-49999'].map((key) => Buffer.from(key))).map(String)).toEqual(Array(2).fill(`${life} and padding of some length`));
        await backend.close();
      }
      const files = await readdir(join(dir, 'app', '0', '0-0'));
      expect(files.length).toBeLessThanOrEqual(20);
      expect(files).toEqual(expect.arrayContaining([...reference!.files]));
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it('drops the snapshots of a task whose changelog is given up, finished or not, and those of no other; twice is as once', async () => {
    const dir = await temporary();
    try {
      const others = [{ ...SCOPE, incarnation: incarnation(1) }, { ...SCOPE, task: taskIndex(1) }];
      const backend = await filesystem({ dir }).open(3);
      for (const scope of [SCOPE, ...others]) {
        const store = await backend.open(scope);
        await store.apply(new RecordWriter().columns, { offset: offset(1), topicId: 'log', leaderEpoch: 0, writtenAt: 0 });
        const changes = new RecordWriter();
        changes.add(0, Buffer.from('key'), Buffer.from('value'));
        await store.snapshots!.take(changes.columns);
        await store.close();
      }
      const filesOf = ({ incarnation: life, task }: StoreScope): Promise<string[]> => readdir(join(dir, 'app', String(life), `0-${task}`));
      await writeFile(join(dir, 'app', '0', '0-0', `x.base~${'0'.repeat(32)}`), 'half');
      expect(await filesOf(SCOPE)).toHaveLength(2);
      for (let times = 0; times < 2; times++) await backend.dropSnapshots!(SCOPE);
      expect((await Promise.all([SCOPE, ...others].map(filesOf))).map(({ length }) => length)).toEqual([0, 1, 1]);
      await backend.dropSnapshots!({ ...SCOPE, applicationId: 'never' });
      await backend.close();
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });

  it.each([
    [{ dir: '' }, 'dir'],
    [{ dir: '/x', retained: 0 }, 'retained'],
    [{ dir: '/x', retained: 1.5 }, 'retained'],
    [{ dir: '/x', lockTimeoutMs: -1 }, 'lockTimeoutMs'],
  ])('refuses the options %j, and says which is wrong', (options, name) => {
    expect(() => filesystem(options)).toThrow(`The option ${name} of the state backend takes`);
  });
});
