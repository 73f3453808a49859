import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ROOT } from '../places.js';
import { runToResult } from '../run/child-process.js';
import type { MemoryResult, MemorySpec } from './memory-spec.js';

/** The built benchmark in a process whose heap could not hold a tenth of what it goes through: it ends in V8's own failure if it tries. */
const MAIN = join(ROOT, 'dist/apps/bench/main.js');
const ENTRIES = 1_000_000;
const OLD_SPACE_MIB = 48;
const LIMIT_MS = 300_000;

let stateDir: string;
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'weir-collections-'));
});
afterEach(() => rm(stateDir, { recursive: true, force: true }));

describe('one key with a map of a million entries and a list of a million elements', () => {
  it('is written, iterated over before and after its commit, and read in a heap that holds few of them', async () => {
    const spec: MemorySpec = {
      part: 'collections', keys: ENTRIES, records: 0, parallelism: 1, intervalMs: 200, cacheEntries: 1_000, budgetBytes: 64 * 2 ** 20, stateDir, seed: 1, ends: {},
    };
    const task = JSON.stringify({ type: 'memory', spec });
    const { phases } = await runToResult<MemoryResult>(process.execPath, [`--max-old-space-size=${OLD_SPACE_MIB}`, MAIN, 'child', task]);
    expect(phases.map(({ name, operations }) => [name, operations])).toEqual([
      ['start', 0],
      ['put into the map', ENTRIES],
      ['iterate over the map', ENTRIES],
      ['add to the list', ENTRIES],
      ['iterate over the map again', ENTRIES],
      ['get the list', ENTRIES],
    ]);
  }, LIMIT_MS);
});
