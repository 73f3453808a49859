import type { BadRecordPolicy } from '../topology/bad-records.js';

/**
 * Settings of a job, by Flink's keys in camel case. What a user writes is `JobSettings`; it is compiled once, at the edge, by
 * `compileSettings` (compile-settings.ts) to the complete and frozen `CompiledSettings`.
 *
 * Where defaults differ from Flink's: checkpointing is on (500 ms), for without it a stateful job on Kafka loses or repeats; the
 * default restart strategy never gives up, as in Flink with checkpointing on.
 */
export interface JobSettings {
  /** Names the consumer group, the transactional ids and the internal topics. Letters, digits, `.`, `_`, `-`; at most 100. */
  readonly applicationId: string;
  /** Number of tasks per sub-topology: at most the number of input partitions. Default: that number, at most 4. */
  readonly parallelism?: number | undefined;
  /** Number of key groups, 1 to 32768: the highest parallelism that the job's keyed state can ever be spread to. Default 128. */
  readonly maxParallelism?: number | undefined;
  readonly checkpointing?: CheckpointingSettings | undefined;
  readonly restartStrategy?: RestartStrategySettings | undefined;
  readonly state?: StateSettings | undefined;
  readonly internalTopics?: InternalTopicSettings | undefined;
  /** What becomes of records that an operator cannot process, where the operator does not say. Default `fail`. */
  readonly badRecords?: BadRecordPolicy | undefined;
  /**
   * How the tasks are shared with the other replicas of this application: processes with the same applicationId, job and settings. 'none':
   * not at all; the process runs every task by itself, and must be the only one. Default: shared, with the defaults of GroupSettings.
   */
  readonly group?: GroupSettings | 'none' | undefined;
  /** Replication factor of internal topics. Default -1: the broker's. */
  readonly replicationFactor?: number | undefined;
}

/** Times in milliseconds. */
export interface GroupSettings {
  /**
   * Makes the replica a static member of the group (Kafka's `group.instance.id`): a process that comes back under this id within the session
   * timeout finds its tasks untouched. One process at a time: a second one ends the first. 'none': a member without such an id, which nobody
   * comes back as. Default: the id that lies beside the state (`StateBackendFactory.instances`), or none where nothing outlives the process.
   */
  readonly instanceId?: string | undefined;
  /** After this long without a sign of life the group gives a replica's tasks to others, 1000 to 1800000; brokers allow 6000 and more. Default 10000. */
  readonly sessionTimeout?: number | undefined;
  /**
   * From one sign of life to the next, 50 to 600000, at most a third of the session timeout, which it is shortened to. So long, at the most, it
   * takes a replica to hear that another has come or left. Default 300.
   */
  readonly heartbeatInterval?: number | undefined;
  /** How long the group waits for replicas to take part in a new division of tasks, 1000 to 1800000. Default 30000. */
  readonly rebalanceTimeout?: number | undefined;
  /** How long a task's next owner waits for the last commit of the one before, 1000 to 600000. Default 15000. */
  readonly handoverTimeout?: number | undefined;
  /**
   * How many other replicas keep a copy of each task's state, 0 to 100 (Kafka Streams' `num.standby.replicas`): one of them takes the task over
   * without reading its changelog from the start. At most one per replica, so fewer where there are fewer. The `filesystem` backend has none:
   * its state is in snapshots that every replica reads. Default 0.
   */
  readonly standbys?: number | undefined;
}

export const CHECKPOINTING_MODES = ['EXACTLY_ONCE', 'AT_LEAST_ONCE'] as const;
export type CheckpointingMode = (typeof CHECKPOINTING_MODES)[number];

export const CHECKPOINT_RETENTIONS = ['RETAIN_ON_CANCELLATION', 'DELETE_ON_CANCELLATION'] as const;
export type CheckpointRetention = (typeof CHECKPOINT_RETENTIONS)[number];

export interface CheckpointingSettings {
  /**
   * Default true. False: no rounds, and each task commits its offsets, state and output by itself, every `interval`. Still nothing is lost or
   * repeated, for such a commit is one transaction as ever; but no moment exists for which the states of all tasks fit each other. Flink
   * has no such key, and is off where `interval` is left out, which here means the default; the restart strategy stays what it is.
   */
  readonly enabled?: boolean | undefined;
  /** Milliseconds between two checkpoints, or between two commits of a task where checkpointing is off, 10 to 600000. Default 500. */
  readonly interval?: number | undefined;
  /**
   * Default EXACTLY_ONCE: outputs and shuffled records become visible with the commit. AT_LEAST_ONCE: at once, acknowledged before the commit,
   * and again after a failure where they were not committed. State and offsets are committed alike in both.
   */
  readonly mode?: CheckpointingMode | undefined;
  /** Milliseconds after which an unfinished checkpoint is given up. Default 600000. */
  readonly timeout?: number | undefined;
  /** Milliseconds between the end of a checkpoint and the next. Default 0. */
  readonly minPause?: number | undefined;
  /**
   * How many checkpoints in a row may time out. One more, and the tasks that have not acknowledged it restart, by the restart strategy. What
   * a failed task or a stop cuts off is not counted. 0 to 2147483647; default 0.
   */
  readonly tolerableFailedCheckpoints?: number | undefined;
  /**
   * What becomes of the job's state when it is cancelled. RETAIN_ON_CANCELLATION: it stays, and `resume` goes on from the last commits.
   * DELETE_ON_CANCELLATION: changelogs, repartition topics and local stores are deleted, and `resume` starts as for the first time. A job that
   * fails, or is stopped, keeps its state in any case. Default RETAIN_ON_CANCELLATION; Flink's, NO_EXTERNALIZED_CHECKPOINTS, there is not.
   */
  readonly externalizedCheckpointRetention?: CheckpointRetention | undefined;
  /** 1, which is also the default: after its barrier a task commits nothing until the round has ended, so a second could not begin. */
  readonly maxConcurrentCheckpoints?: number | undefined;
  /** Milliseconds after which the log itself aborts a transaction, which is open only while a task commits. Default 60000. */
  readonly transactionTimeout?: number | undefined;
}

export const RESTART_STRATEGIES = ['none', 'fixed-delay', 'failure-rate', 'exponential-delay'] as const;

/** Flink's restart strategies; times in milliseconds, defaults as Flink's but for the attempts of exponential-delay, which never end. */
export type RestartStrategySettings =
  | { readonly type: 'none' }
  | { readonly type: 'fixed-delay'; readonly attempts?: number | undefined; readonly delay?: number | undefined }
  | {
      readonly type: 'failure-rate';
      readonly maxFailuresPerInterval?: number | undefined;
      readonly failureRateInterval?: number | undefined;
      readonly delay?: number | undefined;
    }
  | {
      readonly type: 'exponential-delay';
      readonly initialBackoff?: number | undefined;
      readonly maxBackoff?: number | undefined;
      readonly backoffMultiplier?: number | undefined;
      readonly jitterFactor?: number | undefined;
      readonly resetBackoffThreshold?: number | undefined;
      readonly attemptsBeforeResetBackoff?: number | undefined;
    };

/** Topics that Weir makes for itself: changelogs and repartition topics. What exists already keeps what it has. */
export interface InternalTopicSettings {
  /**
   * `max.message.bytes` of those to be created, 65536 to 1073741824: the most that an entry of state, or a shuffled record, takes with its key.
   * Default 8388608, which managed clusters allow, too.
   */
  readonly maxMessageBytes?: number | undefined;
}

export interface StateSettings {
  /** Keys whose state is kept decoded on the heap, per task. Default 100000. More are read from the backend when they are needed. */
  readonly cacheEntries?: number | undefined;
  /**
   * Bytes of heap that these keys may take in all tasks of the job in this process together, by estimate, 1048576 to 1099511627776. Default
   * 268435456. Keys of the epoch that runs and of the one that is being committed count, too, but 20000 changes of each are always kept.
   */
  readonly cacheBytes?: number | undefined;
}
