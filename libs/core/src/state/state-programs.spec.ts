import { describe, expect, it } from '@jest/globals';
import { SimulatedDisk } from '@weir/testing';
import fc from 'fast-check';
import { incarnation, taskIndex } from '../model/brands.js';
import type { StateBackendFactory, StateStore } from '../ports/state-backend.js';
import { FakeStore } from './fake-store.spec-d.js';
import { differences, program } from './state-programs.spec-d.js';

/** Runs `use` with a store of its own for each program. */
type Stores = (use: (open: () => Promise<StateStore>) => Promise<void>) => Promise<void>;

const backendStores =
  (factory: StateBackendFactory): Stores =>
  async (use) => {
    const backend = await factory.open(1);
    let opened = 0;
    try {
      await use(() => backend.open({ applicationId: `app-${opened++}`, incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) }));
    } finally {
      await backend.close();
    }
  };

const STORES: readonly (readonly [name: string, runs: number, stores: Stores])[] = [
  ['a Map', 400, (use) => use(async () => new FakeStore())],
  ['the simulated disk', 60, backendStores(new SimulatedDisk().connect())],
];

describe('any program of state operations on any keys', () => {
  it.each(STORES)('gives over %s what plain Maps give, whatever is frozen, stored, applied, evicted, expired or lost', async (_, numRuns, stores) => {
    await stores((open) =>
      fc.assert(
        fc.asyncProperty(program, async (given) => {
          const store = await open();
          const found = await differences(store, given);
          await store.close();
          expect(found).toEqual([]);
        }),
        { numRuns },
      ),
    );
  });
});
