import { describe, expect, it } from '@jest/globals';
import { type Append, type Log, type LogFactory, type LogTransaction, type LogWriter, RecordColumns, type StateStore } from '@weir/core';
import type { JobTestOptions } from '@weir/testing';
import { SensorRig } from './sensor-rig.spec-d.js';

/**
 * The harness must be able to fail: each of these breaks one step of the protocol through a port, and the checks of the rig must see it.
 * What is broken here is guarded by crash-points.sim.spec.ts.
 */
type Sabotage = Pick<JobTestOptions, 'log' | 'state'>;

const wrapLog =
  (wrap: (log: Log) => Partial<Log>) =>
  (factory: LogFactory): LogFactory => ({
    open: async (context) => {
      const log = await factory.open(context);
      return bound(log, wrap(log));
    },
  });

/** `over` where it has a method, `base` elsewhere, with private fields intact. */
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

const wrapTransactions = (wrap: (transaction: LogTransaction, writer: LogWriter) => Partial<LogTransaction>): NonNullable<Sabotage['log']> =>
  wrapLog((log) => ({
    openWriter: async (options) => {
      const writer: LogWriter = await log.openWriter(options);
      return bound(writer, {
        begin: () => {
          const transaction = writer.begin();
          return bound(transaction, wrap(transaction, writer));
        },
      });
    },
  }));

/** Runs a job with random kills and checks it; what the check found, if anything. */
async function findFault(seed: number, sabotage: Sabotage): Promise<unknown> {
  try {
    const rig = await SensorRig.start({ seed, ...sabotage });
    const kills = rig.driver.cluster.faults.randomly({
      points: ['append:applied', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied'],
      probability: 0.05,
      action: () => ({ type: 'kill' }),
    });
    for (let round = 0; round < 12; round++) {
      rig.pipe(30);
      await rig.finish();
    }
    kills.remove();
    await rig.crashAndRecover();
    rig.pipe(20);
    await rig.finish();
    rig.verify();
    return undefined;
  } catch (thrown) {
    return thrown;
  }
}

const SEEDS = [1, 2, 3, 4, 5, 6];
const caughtIn = async (sabotage: Sabotage): Promise<number> => {
  let caught = 0;
  for (const seed of SEEDS) if ((await findFault(seed, sabotage)) !== undefined) caught++;
  return caught;
};

const isOutput = ({ topic }: Append): boolean => topic === 'alerts';

describe('the checks of the simulation', () => {
  it('pass where nothing is sabotaged', async () => {
    expect(await caughtIn({})).toBe(0);
    expect(await caughtIn({ log: wrapTransactions(() => ({})) })).toBe(0);
  });

  it('catch outputs that are committed before the state and the epoch record', async () => {
    const log = wrapTransactions((first, writer) => {
      let transaction = first;
      return {
        append: async (appends) => {
          await transaction.append(appends.filter(isOutput));
          await transaction.commit();
          transaction = writer.begin();
          return transaction.append(appends.filter((append) => !isOutput(append)));
        },
        addOffsets: (group, offsets) => transaction.addOffsets(group, offsets),
        commit: () => transaction.commit(),
        abort: () => transaction.abort(),
      };
    });
    expect(await caughtIn({ log })).toBeGreaterThanOrEqual(4);
  });

  it('catch an epoch record that is left out of the changelog', async () => {
    const log = wrapTransactions((transaction) => ({
      append: (appends) => {
        for (const { topic, records } of appends) if (topic.endsWith('-changelog')) records.count--;
        return transaction.append(appends);
      },
    }));
    expect(await caughtIn({ log })).toBe(SEEDS.length);
  });

  it('catch a store that is written before the commit', async () => {
    const stores = new Map<number, StateStore>();
    const state: NonNullable<Sabotage['state']> = (disk) => ({
      kind: disk.kind,
      open: async (count) => {
        const backend = await disk.open(count);
        return bound(backend, {
          open: async (scope) => {
            const store = await backend.open(scope);
            stores.set(scope.task, store);
            return store;
          },
        });
      },
    });
    const log = wrapTransactions((transaction) => ({
      append: async (appends) => {
        const results = await transaction.append(appends);
        const { partition, nextOffset, leaderEpoch } = results.at(-1)!;
        const store = stores.get(partition)!;
        await store.apply(appends.at(-1)!.records, { ...store.position!, offset: nextOffset, leaderEpoch });
        return results;
      },
    }));
    expect(await caughtIn({ log, state })).toBeGreaterThanOrEqual(4);
  });

  it('catch a position that is written without its data', async () => {
    const state: NonNullable<Sabotage['state']> = (disk) => ({
      kind: disk.kind,
      open: async (count) => {
        const backend = await disk.open(count);
        return bound(backend, {
          open: async (scope) => {
            const store = await backend.open(scope);
            let applied = 0;
            return bound(store, { apply: (changes, position) => store.apply(applied++ % 2 === 1 ? new RecordColumns() : changes, position) });
          },
        });
      },
    });
    expect(await caughtIn({ state })).toBe(SEEDS.length);
  });
});
