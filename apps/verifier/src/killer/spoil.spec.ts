import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@weir/testing';
import { spoil } from './spoil.js';

const TABLE = Buffer.alloc(1_000, 'a');
let dir: string;
let state: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-spoil-'));
  state = join(dir, 'state');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function makeStore(): Promise<void> {
  await mkdir(join(state, 'app', '0', '0-1'), { recursive: true });
  await writeFile(join(state, 'app', '0', '0-1', '000012.sst'), TABLE);
  await writeFile(join(state, 'app', '0', '0-1', 'LOCK'), 'untouched');
}

describe('spoiling of what the dead left', () => {
  it('deletes the state directory, or damages a file that holds data: both come, and nothing else is touched', async () => {
    const came = new Set<string | undefined>();
    const sizes = new Set<number>();
    for (let seed = 1; seed <= 30; seed++) {
      await makeStore();
      const what = await spoil(state, new SeededRandom(seed));
      came.add(what);
      if (what === 'state deleted') expect(await readdir(dir)).toEqual([]);
      else {
        const table = await readFile(join(state, 'app', '0', '0-1', '000012.sst'));
        expect(table.equals(TABLE)).toBe(false);
        sizes.add(table.length);
        expect(await readFile(join(state, 'app', '0', '0-1', 'LOCK'), 'utf8')).toBe('untouched');
      }
    }
    expect(came).toEqual(new Set(['state deleted', 'state damaged']));
    expect(sizes).toEqual(new Set([500, 1_000])); // cut in half, or overwritten
  });

  it('finds nothing to spoil where nobody has written yet', async () => {
    expect(await spoil(state, new SeededRandom(1))).toBeUndefined();
  });
});
