import { expect } from '@jest/globals';
import type { JobTestDriver } from '@weir/testing';
import { incarnation } from '../model/brands.js';
import type { Log, LogChunk, LogFactory, LogReader } from '../ports/log.js';
import type { StateBackendFactory } from '../ports/state-backend.js';
import { changelogTopic } from './internal-topics.js';
import type { ReplicaSet } from './replica-set.spec-d.js';

/** Names of the tasks of which a replica keeps copies. */
export const copiesOf = (driver: JobTestDriver): string[] =>
  driver.isAlive ? driver.overview().standbys.map(({ subTopology, task }) => `${subTopology}-${task}`).sort() : [];

/** Waits until there are so many copies, and each has had everything. */
export async function untilFollowed({ clock, drivers }: ReplicaSet, copies: number): Promise<void> {
  await clock.waitUntil(() => {
    const all = drivers.flatMap((driver) => (driver.isAlive ? driver.overview().standbys : []));
    return all.length === copies && all.every(({ status }) => status === 'FOLLOWING');
  }, 120_000);
  await clock.advance(2_000); // what a copy does not know of yet
}

/** State conformance (I1, I6): a copy holds what its changelog holds below its position, and is not where the task runs. */
export function verifyCopies({ drivers, running, cluster }: ReplicaSet): void {
  drivers.forEach((driver, replica) => {
    for (const name of copiesOf(driver)) {
      expect([name, running[replica]!.includes(name)]).toEqual([name, false]);
      const [sub, task] = name.split('-').map(Number) as [number, number];
      const { offset: end } = driver.disk.positions().get(name)!;
      const expected = new Map<string, Buffer>();
      for (const { offset, key, value } of cluster.committedRecords(changelogTopic('test', incarnation(0), sub), task)) {
        if (offset >= end) break;
        if (value === null) expected.delete(key!.toString('latin1'));
        else expected.set(key!.toString('latin1'), value);
      }
      expect([name, sorted(driver.disk.entries(name))]).toEqual([name, sorted(expected)]);
    }
  });
}

const sorted = (entries: ReadonlyMap<string, Buffer>): string[] => [...entries].map(([key, value]) => `${Buffer.from(key, 'latin1').toString('hex')}=${value.toString('hex')}`).sort();

/** The simulated disk made a heap: what is closed is gone. */
export const asHeap = (disk: StateBackendFactory): StateBackendFactory => ({
  kind: 'memory',
  open: async (maxStores) => {
    const backend = await disk.open(maxStores);
    return {
      kind: 'memory',
      open: async (scope) => {
        const store = await backend.open(scope);
        const close = store.close.bind(store);
        store.close = async () => {
          await close();
          await backend.destroy(scope);
        };
        return store;
      },
      destroy: (scope) => backend.destroy(scope),
      close: () => backend.close(),
    };
  },
});

/** The simulated disk, passed off as a backend whose state is in snapshots. */
export const asFilesystem = (disk: StateBackendFactory): StateBackendFactory => ({
  kind: 'filesystem',
  open: async (maxStores) => {
    const backend = await disk.open(maxStores);
    return { kind: 'filesystem', open: (scope) => backend.open(scope), destroy: (scope) => backend.destroy(scope), close: () => backend.close() };
  },
});

/** Puts something between standbys and the changelog: their readers are told by the size of their buffers. */
export class CopyReaders {
  readonly #readers: { isHeld: boolean }[] = [];
  /** Does something to each chunk that a copy takes. */
  meddle: (chunk: LogChunk) => LogChunk = (chunk) => chunk;

  readonly wrap = (factory: LogFactory): LogFactory => ({
    open: async (context) => {
      const log = await factory.open(context);
      const openReader = log.openReader.bind(log);
      log.openReader = (options) => (options.bufferBytes === STANDBY_BUFFER_BYTES ? this.#reader(openReader(options)) : openReader(options));
      return log satisfies Log;
    },
  });

  /** From now on those copies read nothing more. */
  hold(): void {
    for (const reader of this.#readers) reader.isHeld = true;
  }

  #reader(reader: LogReader): LogReader {
    const state = { isHeld: false };
    this.#readers.push(state);
    const take = reader.take.bind(reader);
    reader.take = () => {
      const chunk = state.isHeld ? undefined : take();
      return chunk === undefined ? undefined : this.meddle(chunk);
    };
    return reader;
  }
}

const STANDBY_BUFFER_BYTES = 2 * 1024 * 1024;
