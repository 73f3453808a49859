import { describe, expect, it } from '@jest/globals';
import { type Clock, type SnapshotReference, type SnapshotStore, sleep, type StateBackend, type StateBackendFactory, type StateSnapshots, type StateStore } from '@weir/core';
import { type SnapshotJobOptions, SnapshotJobRig } from './snapshot-job-rig.spec-d.js';

/** The checks must be able to fail: each of these breaks one step, and crash-points.sim.spec.ts must see it. */
async function findFault(seed: number, sabotage: SnapshotJobOptions): Promise<unknown> {
  try {
    const rig = await SnapshotJobRig.start(seed, sabotage);
    const kills = rig.driver.cluster.faults.randomly({ points: ['commit:applied', 'commit:replied'], probability: 0.05, action: () => ({ type: 'kill' }) });
    for (let round = 0; round < 10; round++) {
      rig.pipe(40);
      await rig.finish();
    }
    kills.remove();
    await rig.driver.advance(1_000);
    await rig.crashAndRecover();
    rig.pipe(20);
    await rig.finish();
    await rig.verify();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

const SEEDS = [1, 2, 3, 4];
async function caughtIn(sabotage: SnapshotJobOptions): Promise<number> {
  let caught = 0;
  for (const seed of SEEDS) if ((await findFault(seed, sabotage)) !== undefined) caught++;
  return caught;
}

/** `over` where it has a method, `base` elsewhere. */
function bound<T extends object>(base: T, over: Partial<T>): T {
  return new Proxy(base, {
    get: (target, name) => {
      const own = (over as Record<PropertyKey, unknown>)[name];
      if (own !== undefined) return own;
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}

const wrapSnapshots =
  (wrap: (snapshots: StateSnapshots) => Partial<StateSnapshots>) =>
  (factory: StateBackendFactory): StateBackendFactory => ({
    kind: factory.kind,
    open: async (count) => {
      const backend: StateBackend = await factory.open(count);
      return bound(backend, {
        open: async (scope) => {
          const store: StateStore = await backend.open(scope);
          return bound(store, { snapshots: bound(store.snapshots!, wrap(store.snapshots!)) });
        },
      });
    },
  });

describe('the checks of jobs with their state in snapshots', () => {
  it('pass where nothing is sabotaged', async () => {
    expect(await caughtIn({ backend: wrapSnapshots(() => ({})), store: (store) => bound(store, {}) })).toBe(0);
  });

  it('catch an epoch record that names no files', async () => {
    const backend = wrapSnapshots((snapshots) => ({ take: async (changes): Promise<SnapshotReference> => ({ ...(await snapshots.take(changes)), files: [], rows: 0 }) }));
    expect(await caughtIn({ backend })).toBe(SEEDS.length);
  });

  it('catch an epoch record that names the files of the epoch before', async () => {
    const backend = wrapSnapshots((snapshots) => {
      let before: SnapshotReference = { backend: 'filesystem', files: [], kept: [], rows: 0 };
      return {
        take: async (changes) => {
          const named = before;
          before = await snapshots.take(changes);
          return named;
        },
      };
    });
    expect(await caughtIn({ backend })).toBe(SEEDS.length);
  });

  it('catch the deletion of a snapshot that is retained', async () => {
    const store = (snapshots: SnapshotStore, clock: Clock): SnapshotStore =>
      bound(snapshots, {
        create: async (name, content) => {
          const created = await snapshots.create(name, content);
          clock.after(200, () => void snapshots.delete(name));
          return created;
        },
      });
    expect(await caughtIn({ store })).toBe(SEEDS.length);
  });

  it('catch a snapshot that is written after the commit', async () => {
    const store = (snapshots: SnapshotStore, clock: Clock): SnapshotStore =>
      bound(snapshots, {
        create: async (name, content) => {
          const chunks: Buffer[] = [];
          for await (const chunk of content) chunks.push(Buffer.from(chunk));
          void sleep(clock, 200).then(() => snapshots.create(name, chunks));
          return true;
        },
      });
    expect(await caughtIn({ store })).toBeGreaterThanOrEqual(SEEDS.length - 1);
  });
});
