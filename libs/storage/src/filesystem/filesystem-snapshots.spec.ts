import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clockOf, type WeirError } from '@weir/core';
import { describeSnapshotStoreConformance } from '@weir/testing/conformance';
import { FilesystemSnapshots } from './filesystem-snapshots.js';

describeSnapshotStoreConformance('FilesystemSnapshots', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'weir-snapshots-'));
  return {
    open: async () => new FilesystemSnapshots(join(dir, 'made', 'on demand'), clockOf(globalThis)),
    dispose: () => rm(dir, { recursive: true, force: true }),
  };
});

describe('snapshots on a filesystem', () => {
  let dir: string;
  let store: FilesystemSnapshots;
  const content = [Buffer.from('x')];
  const refusal = (promise: Promise<unknown>): Promise<WeirError> => promise.then(() => Promise.reject(new Error('expected a refusal')), (thrown: WeirError) => thrown);

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'weir-snapshots-'));
    store = new FilesystemSnapshots(dir, clockOf(globalThis));
  });
  afterEach(async () => {
    await rm(dir, { recursive: true, force: true });
  });

  it('lie under their names as files, and nothing else is left beside them', async () => {
    await store.create('app/0/0-1/a', content);
    expect(await readdir(dir, { recursive: true })).toEqual(['app', 'app/0', 'app/0/0-1', 'app/0/0-1/a']);
  });

  it('leave other files in their directories alone, and do not list them', async () => {
    await mkdir(join(dir, 'app'));
    await writeFile(join(dir, 'app', 'lost+found ü'), 'x');
    await store.create('app/a', content);
    expect(await store.list('app')).toEqual({ names: ['app/a'], unfinished: [] });
  });

  it('delete what a dead process left unfinished, by its own name', async () => {
    await mkdir(join(dir, 'app'));
    await writeFile(join(dir, 'app', 'a~0123456789abcdef0123456789abcdef'), 'half');
    expect(await store.list('app')).toEqual({ names: [], unfinished: ['app/a~0123456789abcdef0123456789abcdef'] });
    await store.delete('app/a~0123456789abcdef0123456789abcdef');
    expect(await readdir(join(dir, 'app'))).toEqual([]);
  });

  it('say which directory cannot be used where a file lies in their way', async () => {
    await writeFile(join(dir, 'app'), 'a file');
    const refused = await refusal(store.create('app/a', content));
    expect([refused.code, refused.kind]).toEqual(['STATE_DIR_UNUSABLE', 'invalid']);
    expect(refused.message).toContain(join(dir, 'app'));
  });

  it('say so where this process may not write', async () => {
    if (process.getuid?.() === 0) {
      // The superuser may write anywhere but where the kernel says no.
      const refused = await refusal(new FilesystemSnapshots('/proc/weir', clockOf(globalThis)).create('app/a', content));
      expect(['STATE_DIR_UNUSABLE', 'SNAPSHOT_FAILED']).toContain(refused.code);
      return;
    }
    await chmod(dir, 0o500);
    const refused = await refusal(store.create('app/a', content));
    expect(refused.code).toBe('STATE_DIR_UNUSABLE');
  });
});
