import {
  generation,
  offset,
  RecordColumns,
  type AppendResult,
  type Clock,
  type LogContext,
  type LogFactory,
  type PartitionEnds,
  type PartitionOffset,
  type TopicDescription,
} from '@weir/core';
import { errors } from '../errors.js';
import { columnsOf, type LogRecord, recordAt, type RecordRow } from '../log-record.js';
import { SeededRandom } from '../seeded-random.js';
import { ClientChannel } from './client-channel.js';
import type { ClusterOptions, Range } from './cluster-options.js';
import { compacted } from './compaction.js';
import { ConsumerGroups } from './consumer-groups.js';
import { FaultPlan } from './fault-plan.js';
import { GroupCoordinator, type GroupView } from './group-coordinator.js';
import { endsOf, InMemoryLog, type LogBroker } from './memory-log.js';
import { packRows } from './packed-rows.js';
import { isVisible, type PartitionLog, type StoredBatch } from './partition-log.js';
import { TopicRegistry } from './topic-registry.js';
import { TransactionCoordinator, type OpenTransaction } from './transaction-coordinator.js';

/**
 * InMemoryCluster: the data of an in-memory log, with Kafka's semantics. It outlives its clients: kill one, open another, and the
 * log is as Kafka would have kept it.
 *
 * It owns topics, transactions and groups, and shows a spec all of them: what readers see (`committedRecords`), what really lies
 * there (`allRecords`), what is open. Everything that a broker does by itself happens here only when a spec says so (retention,
 * compaction, a new leader) or by the clock (transaction timeouts, late markers).
 *
 * One broker, every write replicated at once: what lies between a leader and its followers is not simulated, except for an
 * unclean election (`moveLeader` with `truncateTo`). Deterministic for one seed, one clock and one order of calls.
 */
export class InMemoryCluster {
  readonly seed: number;
  /** What goes wrong, and when. */
  readonly faults: FaultPlan;
  readonly #clock: Clock;
  readonly #topics: TopicRegistry;
  readonly #groups = new ConsumerGroups();
  readonly #memberships: GroupCoordinator;
  readonly #coordinator: TransactionCoordinator;
  readonly #random: SeededRandom;
  readonly #clients: InMemoryLog[] = [];
  readonly #options: ClusterOptions;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.seed = options.seed ?? 1;
    this.#random = new SeededRandom(this.seed);
    this.faults = new FaultPlan(this.#random.fork(FAULT_STREAM));
    this.#topics = new TopicRegistry(options.clock);
    this.#memberships = new GroupCoordinator(options.clock, this.#groups);
    this.#coordinator = new TransactionCoordinator(options.clock, this.#groups, () => this.#draw(options.markerMs, 0));
  }

  /** A new client. Several may have the same id. */
  log(context: LogContext): InMemoryLog {
    const { travelMs, retryMs } = this.#options;
    const wires = { faults: this.faults, travelMs: () => this.#draw(travelMs, 0), retryMs: retryMs ?? DEFAULT_RETRY_MS, later: (ms: number, run: () => void) => void this.#clock.after(ms, run) };
    const client = new InMemoryLog(context, new ClientChannel(context, wires), this.#broker());
    this.#clients.push(client);
    return client;
  }

  /** Kills every client with this id, or all of them. */
  kill(clientId?: string): void {
    for (const client of this.#clients) if (clientId === undefined || client.context.clientId === clientId) client.kill();
  }

  /** Every client there ever was, oldest first. */
  get clients(): readonly InMemoryLog[] {
    return this.#clients;
  }

  /** Stops the cluster's own timers. */
  close(): void {
    this.#memberships.close();
    this.#coordinator.close();
  }

  // What an operator or another application does.

  /** @throws WeirError `invalid` CLUSTER_MISUSED if it exists */
  createTopic(topic: string, partitions: number, config: Readonly<Record<string, string>> = {}): void {
    this.#topics.create({ topic, partitions, config });
  }

  /** With all its records; created again it is another topic. Open transactions in it keep their other partitions. */
  deleteTopic(topic: string): void {
    this.#topics.delete(topic);
  }

  /** Raises the number of a topic's partitions by so many. */
  addPartitions(topic: string, partitions: number): void {
    this.#topics.addPartitions(topic, partitions);
  }

  describeTopic(topic: string): TopicDescription | undefined {
    return this.#topics.describe(topic);
  }

  /** Appends records as a producer without transactions does: they are committed at once. */
  produce(topic: string, partition: number, records: RecordColumns | readonly RecordRow[]): AppendResult {
    const log = this.#topics.log('append to', topic, partition);
    const rows = packRows(records instanceof RecordColumns ? records : columnsOf(records));
    const firstOffset = log.append(rows, undefined);
    return { topic, partition, firstOffset: offset(firstOffset), nextOffset: offset(log.highWatermark), leaderEpoch: log.leaderEpoch };
  }

  /** Sets who is in a consumer group that nobody joins, as its broker knows it: what commits are checked against. */
  setGroup(groupId: string, generationNumber: number, members: readonly string[]): void {
    this.#groups.set(groupId, { generation: generation(generationNumber), members });
  }

  /** Retention, or an operator's delete-records: the partition begins at `before` now. */
  deleteRecordsBefore(topic: string, partition: number, before: number): void {
    this.#topics.log('delete records of', topic, partition).deleteBefore(before);
  }

  /**
   * Runs the log cleaner over a topic, below `before` and always below the last stable offset.
   * @throws WeirError `invalid` CLUSTER_MISUSED unless the topic's `cleanup.policy` says compact
   */
  compact(topic: string, before = Infinity): void {
    const found = this.#topics.get('compact', topic);
    if (!found.compacted) throw errors.clusterMisused({ act: `compact topic ${topic}`, problem: 'its cleanup.policy is not compact' });
    for (const log of found.logs) {
      const below = Math.min(before, log.lastStable);
      log.replaceBatches(compacted(log.batches, { below, now: this.#clock.wall(), deleteRetentionMs: found.deleteRetentionMs }));
    }
  }

  /** Another leader takes over a partition: the leader epoch rises by one. With `truncateTo` it lost what lies from there on. */
  moveLeader(topic: string, partition: number, options: { readonly truncateTo?: number } = {}): void {
    const log = this.#topics.log('move the leader of', topic, partition);
    log.moveLeader(log.leaderEpoch + 1, options.truncateTo);
  }

  // What a spec can look at.

  /** What a reader from the start would see. Copies. */
  committedRecords(topic: string, partition: number): readonly LogRecord[] {
    const log = this.#topics.log('look at', topic, partition);
    return log.batches.filter((batch) => batch.lastOffset < log.lastStable && isVisible(batch)).flatMap((batch) => recordsOf(log, batch));
  }

  /** All that lies in a partition: open and aborted records and markers, too. Copies. */
  allRecords(topic: string, partition: number): readonly StoredRecord[] {
    const log = this.#topics.log('look at', topic, partition);
    return log.batches.flatMap((batch): StoredRecord[] => {
      const { leaderEpoch, transaction } = batch;
      const about = { leaderEpoch, transactionalId: transaction?.transactionalId, outcome: transaction?.outcome ?? ('committed' as const) };
      if (batch.control === undefined) return recordsOf(log, batch).map((record) => ({ ...record, kind: 'record' as const, ...about }));
      const bare = { topic, partition, offset: batch.baseOffset, timestamp: -1, key: null, value: null, headers: [] };
      return [{ ...bare, kind: batch.control === 'committed' ? ('commit-marker' as const) : ('abort-marker' as const), ...about }];
    });
  }

  endPosition(topic: string, partition: number): PartitionEnds {
    return endsOf(this.#topics.log('look at', topic, partition));
  }

  /** Transactions that have not ended in every partition. */
  openTransactions(): readonly OpenTransaction[] {
    return this.#coordinator.open();
  }

  /** Offsets that a group has committed, by topic and partition. */
  committedOffsets(groupId: string): readonly PartitionOffset[] {
    return this.#groups.committed(groupId);
  }

  /** Who is in a group now; undefined if nobody ever asked for it. */
  group(groupId: string): GroupView | undefined {
    return this.#memberships.view(groupId);
  }

  /** Present epoch of a transactional id; undefined if nobody claimed it yet. */
  producerEpoch(transactionalId: string): number | undefined {
    return this.#coordinator.epochOf(transactionalId);
  }

  topicNames(): readonly string[] {
    return this.#topics.names();
  }

  #broker(): LogBroker {
    const topics = this.#topics;
    const coordinator = this.#coordinator;
    return {
      groups: this.#memberships,
      createTopic: (spec) => topics.create(spec),
      deleteTopic: (topic) => topics.delete(topic),
      describe: (topic) => topics.describe(topic),
      find: (topic, partition) => topics.find(topic, partition),
      log: (act, topic, partition) => topics.log(act, topic, partition),
      topicLimits: (topic) => topics.get('append to', topic),
      fetchRows: () => Math.max(1, this.#draw(this.#options.chunkRows, DEFAULT_CHUNK_ROWS)),
      fetchDelayMs: () => this.#draw(this.#options.fetchMs, 0),
      claim: (transactionalId, timeoutMs) => coordinator.claim(transactionalId, timeoutMs),
      append: (request, appends) => coordinator.append(request, appends),
      addOffsets: (request, group, offsets) => coordinator.addOffsets(request, group, offsets),
      end: (request, outcome) => coordinator.end(request, outcome),
    };
  }

  #draw(range: Range | undefined, otherwise: number): number {
    return range === undefined ? otherwise : this.#random.between(range[0], range[1]);
  }
}

/** Makes clients of one cluster: what a job is given as its log. */
export const inMemoryLog = (cluster: InMemoryCluster): LogFactory => ({
  open: (context) => Promise.resolve(cluster.log(context)),
});

/** A record as it lies in the log, whether readers see it or not. */
export interface StoredRecord extends LogRecord {
  readonly kind: 'record' | 'commit-marker' | 'abort-marker';
  readonly outcome: 'open' | 'committed' | 'aborted';
  /** Undefined for what was written outside transactions. */
  readonly transactionalId: string | undefined;
  readonly leaderEpoch: number;
}

const DEFAULT_RETRY_MS = 2;
const DEFAULT_CHUNK_ROWS = 10_000;
const FAULT_STREAM = 1;

/** Records of a batch from the start of the log on. */
function recordsOf(log: PartitionLog, { rows: { columns } }: StoredBatch): LogRecord[] {
  const records: LogRecord[] = [];
  for (let row = 0; row < columns.count; row++) {
    if (columns.offset[row]! >= log.start) records.push(recordAt(columns, row, log.topic, log.partition));
  }
  return records;
}
