import type { Offset } from '../model/brands.js';
import type { RecordColumns } from '../model/record-columns.js';
import type { PartitionOffset, TopicPartition } from '../model/topic-partition.js';
import type { Clock } from './clock.js';
import type { GroupMember, GroupMembership, GroupOptions } from './membership.js';

/**
 * Log: partitioned, replayable, transactional topics. Kafka in production, memory in tests; both pass the conformance
 * suite in @weir/testing.
 *
 * Guarantees:
 * - L1. Order: a reader sees the records of one partition in offset order, each offset at most once after an `assign`.
 * - L2. Committed only: a reader never sees a record of an aborted or an open transaction, nor one behind the last stable offset.
 * - L3. Atomic: the appends and offsets of one transaction become visible together at `commit`, or never.
 * - L4. Definite: `commit` resolves only if the transaction is committed and rejects only if it is not, or with `fenced` when this
 *   writer may not know; it retries an unknown outcome by itself.
 * - L5. Fencing: `openWriter` with a transactional id ends the open transaction of every older writer with that id; each later
 *   call on an older one rejects with `fenced`, and none of its appends become visible.
 * - L6. Nothing is silently skipped: bytes that cannot be understood are a `data` error that names partition and offset; a position
 *   outside the log is an `invalid` error LOG_OFFSET_OUT_OF_RANGE, whose context is an `OffsetOutOfRange`; the partition is
 *   read on once it is assigned anew.
 * - L7. A record that is larger than its topic takes is found before anything of its `append` is sent, as far as the topic's limit can be
 *   known: an `invalid` error LOG_RECORD_TOO_LARGE, whose context is a `RecordTooLarge`.
 */
export interface Log {
  /**
   * Creates the topics that are missing.
   * @throws WeirError `invalid` if one exists with another number of partitions, or cannot be created as asked for
   */
  ensureTopics(topics: readonly TopicSpec[]): Promise<void>;

  /** What is known of a topic; undefined if it does not exist. */
  describeTopic(topic: string): Promise<TopicDescription | undefined>;

  /** Where the partitions begin and end now, in the order asked for. */
  endPositions(partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]>;

  /**
   * The end of what was written up to and in a leader epoch: the offset at which the first later epoch begins, or the high watermark.
   * Undefined if the log knows no such epoch (its records are gone, or it never happened in this log).
   */
  epochEnd(partition: TopicPartition, leaderEpoch: number): Promise<Offset | undefined>;

  /**
   * Gives up the records below `offset` of each partition. Once it resolves they are gone, unless another leader takes over before it
   * has heard of it; if it rejects, any of them may be gone. No record at or above `offset` is touched, and no reader at or above it
   * notices; one below it gets `LOG_OFFSET_OUT_OF_RANGE` (L6). Idempotent: an offset at or below the start changes nothing and is no error.
   * @throws WeirError `invalid` for an offset beyond the high watermark, or a topic whose `cleanup.policy` does not say delete; `retry` if
   *   the log cannot be reached
   */
  deleteRecordsBefore(partitions: readonly PartitionOffset[]): Promise<void>;

  /**
   * Deletes topics with all that they hold; what does not exist is passed over. Once it resolves, `describeTopic` knows none of them. An open
   * reader goes on waiting for its topic, and gets nothing of one that is created under that name later. An open transaction keeps its
   * other partitions.
   * @throws WeirError `invalid` if the log refuses to; `retry` if it cannot be reached: any of them may be gone
   */
  deleteTopics(topics: readonly string[]): Promise<void>;

  openReader(options: ReaderOptions): LogReader;

  /**
   * Claims a transactional id: fences every older writer with it and waits until its open transaction has ended.
   * @throws WeirError `retry` if the log cannot be reached
   */
  openWriter(options: WriterOptions): Promise<LogWriter>;

  /**
   * Opens a way to append outside of transactions.
   * @throws WeirError `retry` if the log cannot be reached
   */
  openAppender(): Promise<LogAppender>;

  /**
   * Takes part in a group, from now on and by itself: see ports/membership.ts.
   * @throws WeirError `internal` if this log was closed
   */
  joinGroup(options: GroupOptions): GroupMember;

  /**
   * Ends all readers, writers and memberships (these without a word to the group); open transactions are left to their owners'
   * successors. Later calls reject with `restart-task` LOG_CLOSED.
   */
  close(): Promise<void>;
}

/** Makes a Log once the job that uses it is known; adapters export one, e.g. `kafka({ brokers })`. */
export interface LogFactory {
  open(context: LogContext): Promise<Log>;
}

export interface LogContext {
  readonly clock: Clock;
  /** Name under which the log's own logs and metrics show this client. */
  readonly clientId: string;
}

export interface TopicSpec {
  readonly topic: string;
  readonly partitions: number;
  /** Topic configuration by Kafka's names, e.g. `cleanup.policy`; applied at creation only. */
  readonly config: Readonly<Record<string, string>>;
  /** Copies of each partition. Left out, or -1: as many as the log makes by default. */
  readonly replicationFactor?: number;
}

export interface TopicDescription {
  readonly topic: string;
  /** Changes when a topic is deleted and created again under the same name. */
  readonly topicId: string;
  readonly partitions: number;
  /** How long tombstones of a compacted topic stay readable, in milliseconds (`delete.retention.ms`). */
  readonly deleteRetentionMs: number;
}

export interface PartitionEnds extends TopicPartition {
  /** Offset of the oldest record still held. */
  readonly start: Offset;
  /** Below it every transaction has ended: what readers can see ends here. */
  readonly lastStable: Offset;
  readonly highWatermark: Offset;
  readonly leaderEpoch: number;
}

export interface ReaderOptions {
  /** Called when `take` may have something (a chunk, or an error to throw): at least once per change, from outside `take`. */
  readonly wake: () => void;
  /** Bytes fetched ahead per partition before fetching of it pauses by itself. */
  readonly bufferBytes: number;
}

/**
 * Reads committed records of partitions that it is given; no group decides for it. Fetches ahead in the background.
 * Methods are synchronous; a failure of the background work is thrown by the next `take`.
 */
export interface LogReader {
  /** Reads `partition` from `from` on; what was buffered of it is dropped, a pause stays. */
  assign(partition: TopicPartition, from: Offset): void;
  unassign(partition: TopicPartition): void;
  /** Hands out and fetches nothing of the partition until `resume`; what is buffered stays. */
  pause(partition: TopicPartition): void;
  resume(partition: TopicPartition): void;
  /**
   * The next buffered chunk, partitions in turn, or undefined if nothing is buffered now.
   * @throws WeirError what went wrong in the background: `data`, `invalid`, or `restart-task` when retrying has found no end
   */
  take(): LogChunk | undefined;
  close(): Promise<void>;
}

/** A run of records of one partition. Reused by the next `take` of the same reader. */
export interface LogChunk {
  readonly topic: string;
  readonly partition: number;
  /** May hold no rows: aborted records, control records and compacted tails move the position, too. */
  readonly records: RecordColumns;
  /** The offset to read next after this chunk. */
  readonly nextOffset: Offset;
  /** The last stable offset of the partition that the log last told: for lag. */
  readonly lastStable: Offset;
}

export interface WriterOptions {
  readonly transactionalId: string;
  /** After this long the log itself aborts an open transaction, in milliseconds. */
  readonly transactionTimeoutMs: number;
}

/** The one writer of a transactional id: one transaction at a time. */
export interface LogWriter {
  readonly transactionalId: string;
  /**
   * Begins a transaction. Costs nothing by itself; nothing is sent until its first `append` or `addOffsets`.
   * @throws WeirError `internal` if one is open; `fenced` if this writer was fenced
   */
  begin(): LogTransaction;
  /** Stops using the id; an open transaction is aborted if the log can be reached. */
  close(): Promise<void>;
}

/** Appends outside of transactions: nobody is fenced, and what was acknowledged can be read at once. */
export interface LogAppender {
  /**
   * Sends records; resolves once all in-sync replicas have them, in the order of `appends`. Appends are carried out in the order of the
   * calls, so records of one partition keep it. What was given must not change until the promise settles. A lost answer is asked for
   * again, and no record is there twice for it.
   * @throws WeirError `retry` if the log could not be reached for long: the records may be there, or not, or come later; `invalid` if the
   *   log will never take them
   */
  append(appends: readonly Append[]): Promise<readonly AppendResult[]>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
}

export interface Append {
  readonly topic: string;
  readonly partition: number;
  /** Not copied: neither the columns nor the bytes that they are over may change until the promise of `append` has settled. */
  readonly records: RecordColumns;
}

/** Code of the error for offsets in the name of a stale generation or member. */
export const MEMBER_STALE = 'LOG_MEMBER_STALE';

export const RECORD_TOO_LARGE = 'LOG_RECORD_TOO_LARGE';

/** Code of the error for a position that is not, or no longer, in the log (L6). */
export const OFFSET_OUT_OF_RANGE = 'LOG_OFFSET_OUT_OF_RANGE';

/** Where a reader wanted to read, and what the log holds: facts of the error. A type, for contexts of errors are records. */
export type OffsetOutOfRange = {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Of the oldest record that is there. */
  readonly start: number;
  /** Behind the newest. */
  readonly end: number;
};

/** Which record of an `append` its topic does not take (L7): facts of the error. A type, for contexts of errors are records. */
export type RecordTooLarge = {
  readonly topic: string;
  readonly partition: number;
  /** In the columns that were given for the partition. */
  readonly row: number;
  /** What it takes in a message of its own. */
  readonly bytes: number;
  /** The most that the topic takes (`max.message.bytes`). */
  readonly limit: number;
};

/** Where appended records lie: from `offset` of the first to `nextOffset` behind the last; the marker of the commit comes later. */
export interface AppendResult extends TopicPartition {
  readonly firstOffset: Offset;
  readonly nextOffset: Offset;
  readonly leaderEpoch: number;
}

/** Steps 3 to 5 of a task's commit, one method each; see core/task/commit.ts. Appends keep their order per partition. */
export interface LogTransaction {
  /**
   * Sends records; resolves once all in-sync replicas have them, in the order of `appends`. May be called several times. What was given
   * may be sent again at any time before the promise settles, so it must not change until then.
   */
  append(appends: readonly Append[]): Promise<readonly AppendResult[]>;
  /**
   * Adds input positions to the transaction.
   * @throws WeirError `fenced` MEMBER_STALE for a generation or a member that the group does not have (now): nothing was added, and the
   *   same may be added again in a present member's name; without that the transaction has failed
   */
  addOffsets(group: GroupMembership, offsets: readonly PartitionOffset[]): Promise<void>;
  /** Makes everything visible at once. See L4. */
  commit(): Promise<void>;
  /** Drops everything. Idempotent; a transaction that already ended is left as it is, and so is one whose writer was fenced. */
  abort(): Promise<void>;
}
