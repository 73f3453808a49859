import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { clockOf, type InstanceIds } from '@weir/core';
import { memory } from '../memory/memory-backend.js';
import { rocksdb } from '../rocksdb/rocksdb-backend.js';
import { instanceDirectory } from './instance-directory.js';

let dir: string;
let ids: InstanceIds;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-instances-'));
  ids = instanceDirectory(dir, clockOf(globalThis));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function takeAndLeave(of = ids): Promise<string> {
  const taken = (await of.take('app'))!;
  await taken.close();
  return taken.instanceId;
}

describe('the name of a replica, kept in its state directory', () => {
  it('E2: is the same each time, and of 32 hexadecimal digits', async () => {
    const first = await takeAndLeave();
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect([await takeAndLeave(), await takeAndLeave()]).toEqual([first, first]);
    expect(await readFile(join(dir, 'app', 'instances', '0.id'), 'latin1')).toBe(first);
  });

  it('E1: is had by one at a time: each further process takes another, and those that come back take what is free', async () => {
    const [one, two] = [(await ids.take('app'))!, (await ids.take('app'))!];
    expect(two.instanceId).not.toBe(one.instanceId);
    await one.close();
    await one.close();
    expect(await takeAndLeave()).toBe(one.instanceId);
    await two.close();
  });

  it('E3: is another one for another application, and once the directory was deleted', async () => {
    const first = await takeAndLeave();
    const other = (await ids.take('other'))!;
    await other.close();
    await rm(dir, { recursive: true });
    expect(new Set([first, other.instanceId, await takeAndLeave()]).size).toBe(3);
  });

  it('D2, D3: is made anew where the file holds no name, and leaves nothing beside it', async () => {
    const first = await takeAndLeave();
    await writeFile(join(dir, 'app', 'instances', '0.id'), first.slice(0, 20));
    const second = await takeAndLeave();
    expect(second).not.toBe(first);
    expect(await takeAndLeave()).toBe(second);
    expect((await readdir(join(dir, 'app', 'instances'))).sort()).toEqual(['0.id', '0.lock']);
  });

  it('is refused with the path where the directory cannot be used', async () => {
    await writeFile(join(dir, 'app'), 'a file');
    await expect(ids.take('app')).rejects.toMatchObject({ kind: 'invalid', code: 'STATE_DIR_UNUSABLE', message: expect.stringContaining(join(dir, 'app')) });
  });

  it('lies beside the state of rocksdb, and where backends without files are told', async () => {
    const name = await takeAndLeave(rocksdb({ dir }).instances);
    expect(await takeAndLeave(rocksdb({ dir }).sharedAmong!(2).instances)).toBe(name);
    expect(await takeAndLeave(memory({ instanceDir: dir }).instances)).toBe(name);
    expect(memory().instances).toBeUndefined();
    expect(() => memory({ instanceDir: '' })).toThrow(/instanceDir/);
  });
});
