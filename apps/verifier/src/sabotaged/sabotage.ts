import {
  type Append,
  type AppendResult,
  type Clock,
  type LogFactory,
  type LogTransaction,
  type PartitionOffset,
  RecordColumns,
  sleep,
  type StateBackendFactory,
  type StateStore,
  type StorePosition,
} from '@weir/core';
import type { SabotageName } from './sabotage-names.js';
import { wrapLog, wrapStores, wrapTransactions, type WrapTransaction } from './wrap-ports.js';

/**
 * Breaks one step of the commit through the ports, as sabotage-names.ts says. Where a step is cut in two, the halves lie GAP_MS apart:
 * so wide that one kill in a few falls between them, and so narrow that the service still works as if nothing were wrong.
 */
export interface Ports {
  readonly log: LogFactory;
  readonly state: StateBackendFactory;
}

const GAP_MS = 30;

export function sabotage(name: SabotageName, { log, state }: Ports, clock: Clock, ownId: string): Ports {
  const gap = (): Promise<void> => sleep(clock, GAP_MS);
  switch (name) {
    case 'offsets-apart':
      return { log: wrapTransactions(log, offsetsApart(gap)), state };
    case 'offsets-never':
      return { log: wrapTransactions(log, () => ({ addOffsets: () => Promise.resolve() })), state };
    case 'outputs-apart':
      return {
        log: wrapTransactions(
          log,
          appendsApart(gap, (append) => !isChangelog(append)),
        ),
        state,
      };
    case 'state-apart':
      return { log: wrapTransactions(log, appendsApart(gap, isChangelog)), state };
    case 'shuffle-apart':
      return { log: wrapTransactions(log, appendsApart(gap, isShuffle)), state };
    case 'barrier-lost':
      return { log: wrapTransactions(log, barrierLost), state };
    case 'count-doubled':
      return { log: wrapTransactions(log, outputsTwice()), state };
    case 'epoch-dropped':
      return { log: wrapTransactions(log, epochDropped), state };
    case 'no-transaction':
      return { log: wrapTransactions(log, eachAlone(gap)), state };
    case 'no-fencing':
      return {
        log: wrapLog(log, (open) => ({
          openWriter: (options) => open.openWriter({ ...options, transactionalId: `${options.transactionalId}-${ownId}` }),
        })),
        state,
      };
    case 'store-hollow':
      return { log, state: wrapStores(state, hollow) };
    case 'store-early':
      return storeEarly({ log, state }, clock, gap);
  }
}

// ---- transactions ----

const offsetsApart =
  (gap: () => Promise<void>): WrapTransaction =>
  (transaction, writer) => {
    let add = (_to: LogTransaction): Promise<void> => Promise.resolve();
    return {
      addOffsets: (group, offsets) => {
        const kept: readonly PartitionOffset[] = [...offsets];
        add = (to) => to.addOffsets(group, kept);
        return Promise.resolve();
      },
      commit: async () => {
        await transaction.commit();
        await gap();
        const own = writer.begin();
        await add(own);
        await own.commit();
      },
    };
  };

/** Commits some appends, then begins a transaction for all the rest. */
const appendsApart =
  (gap: () => Promise<void>, isFirst: (append: Append) => boolean): WrapTransaction =>
  (first, writer) => {
    let transaction = first;
    return {
      append: async (appends) => {
        const early = appends.filter(isFirst);
        const late = appends.filter((append) => !isFirst(append));
        const results = early.length > 0 ? await transaction.append(early) : [];
        if (early.length > 0) {
          await transaction.commit();
          await gap();
          transaction = writer.begin();
        }
        const rest = late.length > 0 ? await transaction.append(late) : [];
        return inOrder(appends, [...results, ...rest]);
      },
      addOffsets: (group, offsets) => transaction.addOffsets(group, offsets),
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    };
  };

const eachAlone =
  (gap: () => Promise<void>): WrapTransaction =>
  (first, writer) => {
    let transaction = first;
    return {
      append: async (appends) => {
        const results: AppendResult[] = [];
        for (const append of appends) {
          results.push(...(await transaction.append([append])));
          await transaction.commit();
          await gap();
          transaction = writer.begin();
        }
        return results;
      },
      addOffsets: (group, offsets) => transaction.addOffsets(group, offsets),
      commit: () => transaction.commit(),
      abort: () => transaction.abort(),
    };
  };

/** The store still gets it: what is broken is the changelog. */
const epochDropped: WrapTransaction = (transaction) => ({
  append: async (appends) => {
    for (const { topic, records } of appends) if (isChangelogName(topic)) records.count--;
    const results = await transaction.append(appends);
    for (const { topic, records } of appends) if (isChangelogName(topic)) records.count++;
    return results;
  },
});

/** A barrier has no key, and is the last record of its epoch in a repartition partition. */
const barrierLost: WrapTransaction = (transaction) => ({
  append: async (appends) => {
    const cut = appends.filter((append) => isShuffle(append) && append.partition === 0 && append.records.key(append.records.count - 1) === null);
    for (const { records } of cut) records.count--;
    try {
      const kept = appends.filter((append) => append.records.count > 0);
      const results = await transaction.append(kept);
      return appends.map((append) => results[kept.indexOf(append)] ?? results[0]!);
    } finally {
      for (const { records } of cut) records.count++;
    }
  },
});

/** Every tenth commit of a process that has outputs. */
function outputsTwice(): WrapTransaction {
  let commits = 0;
  return (transaction) => ({
    append: async (appends) => {
      const outputs = appends.filter((append) => !isChangelog(append) && !isShuffle(append));
      if (outputs.length > 0 && ++commits % 10 === 0) await transaction.append(outputs);
      return transaction.append(appends);
    },
  });
}

// ---- stores ----

/** Every other write has its position alone. */
function hollow(store: StateStore): Partial<StateStore> {
  let writes = 0;
  return { apply: (changes, position) => store.apply(writes++ % 2 === 1 ? new RecordColumns() : changes, position) };
}

/**
 * Writes RocksDB once the changelog's records are acknowledged, before they are committed. To the engine the store looks as it should, or
 * its own check of positions would stop it.
 */
function storeEarly({ log, state }: Ports, clock: Clock, gap: () => Promise<void>): Ports {
  const early = new Map<number, (append: Append, result: AppendResult) => Promise<void>>();
  const wrapped = wrapStores(state, (store, task) => {
    let shown = store.position;
    let topicId = shown?.topicId;
    early.set(task, async ({ records }, { nextOffset, leaderEpoch }) => {
      if (topicId === undefined) return; // the very first epoch comes in time
      await store.apply(records, { offset: nextOffset, leaderEpoch, topicId, writtenAt: clock.wall() });
    });
    return {
      get position(): StorePosition | undefined {
        return shown;
      },
      apply: async (changes, position) => {
        await store.apply(changes, position);
        shown = position;
        topicId = position.topicId;
      },
    };
  });
  const wrappedLog = wrapTransactions(log, (transaction) => ({
    append: async (appends) => {
      const results = await transaction.append(appends);
      const last = appends.at(-1)!;
      await early.get(last.partition)?.(last, results.at(-1)!);
      await gap();
      return results;
    },
  }));
  return { log: wrappedLog, state: wrapped };
}

const isChangelogName = (topic: string): boolean => topic.endsWith('-changelog');
const isShuffle = ({ topic }: Append): boolean => topic.endsWith('-repartition');
const isChangelog = ({ topic }: Append): boolean => isChangelogName(topic);

function inOrder(appends: readonly Append[], results: readonly AppendResult[]): AppendResult[] {
  return appends.map(({ topic, partition }) => results.find((result) => result.topic === topic && result.partition === partition)!);
}
