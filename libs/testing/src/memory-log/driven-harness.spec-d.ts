import { isWeirError, type GroupMember, type Log, type LogAppender, type LogTransaction, type LogWriter } from '@weir/core';
import type { LogHarness } from '../conformance/log-harness.js';
import { ManualClock } from '../manual-clock.js';
import type { ClusterOptions } from './cluster-options.js';
import { InMemoryCluster } from './in-memory-cluster.js';

const SETTLE_MS = 5;

/** A harness whose every call lets just as much time pass as it needs. */
export function harnessOf(options: Omit<ClusterOptions, 'clock'>): Promise<LogHarness> {
  const clock = new ManualClock({ seed: options.seed ?? 1 });
  const cluster = new InMemoryCluster({ ...options, clock });
  let names = 0;
  let clients = 0;
  return Promise.resolve({
    open: () => Promise.resolve(driven(cluster.log({ clock, clientId: `client-${clients++}` }), clock)),
    uniqueName: (stem) => `${stem}-${names++}`,
    settle: () => clock.advance(SETTLE_MS),
    close: () => {
      cluster.close();
      return Promise.resolve();
    },
  });
}

/** The same log, with calls that make time pass until they have settled: nobody else moves the manual clock meanwhile. */
function driven(log: Log, clock: ManualClock): Log {
  // A call that never settles hangs here as it would on a real log: it is no refusal.
  const drive = <T>(call: Promise<T>): Promise<T> =>
    clock.settled(call).catch((thrown: unknown) => {
      if (isWeirError(thrown) && thrown.code === 'NEVER_SETTLES') return new Promise<T>(() => undefined);
      throw thrown;
    });
  const transaction = (inner: LogTransaction): LogTransaction => ({
    append: (appends) => drive(inner.append(appends)),
    addOffsets: (group, offsets) => drive(inner.addOffsets(group, offsets)),
    commit: () => drive(inner.commit()),
    abort: () => drive(inner.abort()),
  });
  const appender = (inner: LogAppender): LogAppender => ({
    append: (appends) => drive(inner.append(appends)),
    close: () => drive(inner.close()),
  });
  const writer = (inner: LogWriter): LogWriter => ({
    transactionalId: inner.transactionalId,
    begin: () => transaction(inner.begin()),
    close: () => drive(inner.close()),
  });
  const member = (inner: GroupMember): GroupMember => ({
    get state() {
      return inner.state;
    },
    get membership() {
      return inner.membership;
    },
    get tenure() {
      return inner.tenure;
    },
    confirm: () => drive(inner.confirm()),
    rejoin: () => inner.rejoin(),
    leave: () => drive(inner.leave()),
    close: () => inner.close(),
  });
  return {
    ensureTopics: (topics) => drive(log.ensureTopics(topics)),
    describeTopic: (topic) => drive(log.describeTopic(topic)),
    endPositions: (partitions) => drive(log.endPositions(partitions)),
    epochEnd: (partition, leaderEpoch) => drive(log.epochEnd(partition, leaderEpoch)),
    deleteRecordsBefore: (partitions) => drive(log.deleteRecordsBefore(partitions)),
    deleteTopics: (topics) => drive(log.deleteTopics(topics)),
    openReader: (options) => log.openReader(options),
    joinGroup: (options) => member(log.joinGroup(options)),
    openAppender: async () => appender(await drive(log.openAppender())),
    openWriter: async (options) => writer(await drive(log.openWriter(options))),
    close: () => drive(log.close()),
  };
}
