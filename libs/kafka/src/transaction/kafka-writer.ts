import {
  isWeirError,
  MEMBER_STALE,
  partitionName,
  type Append,
  type AppendResult,
  type GroupMembership,
  type LogTransaction,
  type LogWriter,
  type PartitionOffset,
  type WriterOptions,
} from '@weir/core';
import { errors } from '../errors.js';
import type { KafkaSettings } from '../options.js';
import type { Cluster } from '../wire/cluster.js';
import { Appender } from './appender.js';
import type { TopicLimits } from './batch-limits.js';
import type { Producer } from './producer.js';

/**
 * LogWriter and LogTransaction on Kafka. The writer has one transaction at a time, whose calls go one after another, in the order in
 * which they were made.
 *
 *   OPEN --commit--> COMMITTED
 *    |  \--(a call failed)--> FAILED --abort--> ABORTED
 *    |                           `--(offsets of a stale member, sent again)--> OPEN
 *    `--abort--> ABORTED
 *
 * Steps of a transaction at the log:
 *  0. Renew the producer if an answer was lost in an earlier transaction (P1 of producer.ts).
 *  1. AddPartitionsToTxn for partitions that are new to the transaction; nothing in version 2 of transactions.
 *  2. Produce.
 *  3. AddOffsetsToTxn (in version 1), TxnOffsetCommit.
 *  4. EndTxn, until the answer is definite.
 *
 * Invariants:
 * - T1. Nothing is sent before the first append or offsets; a transaction that sent nothing ends without a word to the log.
 * - T2. Nothing is produced to a partition before the coordinator has it in the transaction: in version 2 its leader sees to that.
 * - T3. A transaction that has failed never commits (L3).
 * - T4. Once commit was sent there is no abort: the log alone says how it ended (L4).
 */
export class KafkaWriter implements LogWriter {
  readonly transactionalId: string;
  #transaction: KafkaTransaction | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly parts: WriterParts,
    private readonly onClose: (writer: KafkaWriter) => void,
  ) {
    this.transactionalId = parts.producer.transactionalId;
  }

  begin(): LogTransaction {
    const { transactionalId } = this;
    if (this.#closed) throw errors.closed({ act: `begin of writer ${transactionalId}` });
    this.parts.producer.checkFenced();
    if (this.#transaction?.isEnded === false) throw errors.transactionMisused({ transactionalId, act: 'begin', state: 'still open' });
    this.#transaction = new KafkaTransaction(this.parts, (work) => this.#inTurn(work));
    return this.#transaction;
  }

  /** Runs `work` once everything that was called before it is done. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const transaction = this.#transaction;
    // What cannot be aborted now is left to the successor, or to the timeout.
    const { cluster, producer, settings } = this.parts;
    const cancel = cluster.clock.after(settings.requestTimeoutMs, () => producer.abandon());
    if (transaction?.isEnded === false) await transaction.abort().catch(() => undefined);
    cancel();
    producer.abandon();
    await this.#tail;
    this.onClose(this);
  }

  /** Ends calls under way, and aborts nothing: the successor does. */
  abandon(): void {
    this.#closed = true;
    this.parts.producer.abandon();
  }
}

export interface WriterParts {
  readonly cluster: Cluster;
  readonly settings: KafkaSettings;
  readonly producer: Producer;
  readonly limits: TopicLimits;
  readonly options: WriterOptions;
}

type TransactionState =
  | { readonly name: 'OPEN' }
  | { readonly name: 'FAILED'; readonly cause: unknown; readonly mayRepair: boolean }
  | { readonly name: 'COMMITTED' }
  | { readonly name: 'ABORTED' };

class KafkaTransaction implements LogTransaction {
  #state: TransactionState = { name: 'OPEN' };
  /** Whether the log may know of this transaction (T1). */
  #sent = false;
  readonly #added = new Set<string>();

  constructor(
    private readonly parts: WriterParts,
    private readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>,
  ) {}

  get isEnded(): boolean {
    return this.#state.name === 'COMMITTED' || this.#state.name === 'ABORTED';
  }

  /** The columns must stay as they are until the promise has settled. */
  append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    return this.#step('append', async () => {
      const { cluster, settings, producer, limits, options } = this.parts;
      const full = appends.filter(({ records }) => records.count > 0);
      await this.#beforeSending(full.length > 0);
      const topics = new Set(full.map(({ topic }) => topic));
      const appender = await limits.with(topics, (known) => new Appender(cluster, producer, settings, appends, known, limits.refused));
      const added = full.filter(({ topic, partition }) => !this.#added.has(partitionName(topic, partition)));
      if (added.length > 0) await producer.addPartitions(unique(added), options.transactionTimeoutMs); // T2
      for (const { topic, partition } of added) this.#added.add(partitionName(topic, partition));
      return appender.run(options.transactionTimeoutMs);
    });
  }

  addOffsets(group: GroupMembership, offsets: readonly PartitionOffset[]): Promise<void> {
    const held = offsets.map((at) => ({ ...at }));
    return this.#step('addOffsets', async () => {
      await this.#beforeSending(held.length > 0);
      if (held.length > 0) await this.parts.producer.addOffsets(group, held, this.parts.options.transactionTimeoutMs);
    });
  }

  /** Step 0, before the first request of the transaction. */
  async #beforeSending(isNeeded: boolean): Promise<void> {
    this.parts.producer.checkFenced();
    if (this.#sent || !isNeeded) return;
    await this.parts.producer.renew();
    this.#sent = true;
  }

  commit(): Promise<void> {
    return this.#step('commit', async () => {
      if (this.#sent) await this.parts.producer.commit();
      this.#state = { name: 'COMMITTED' };
    });
  }

  abort(): Promise<void> {
    return this.inTurn(async () => {
      if (this.isEnded) return;
      try {
        if (this.#sent) await this.parts.producer.abort();
        this.#state = { name: 'ABORTED' };
      } catch (thrown) {
        // Not known to have ended: the next transaction of this writer ends it first.
        this.parts.producer.taint();
        this.#state = { name: 'ABORTED' };
        throw thrown;
      }
    });
  }

  /** Runs a call that needs the transaction to be open. Its failure fails the transaction, which can never be whole again (T3). */
  #step<T>(act: string, work: () => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      const { producer } = this.parts;
      const { transactionalId } = producer;
      const state = this.#state;
      const repairs = act === 'addOffsets' && state.name === 'FAILED' && state.mayRepair;
      if (state.name === 'FAILED' && !repairs) {
        producer.checkFenced();
        throw errors.transactionFailed({ transactionalId, act, problem: 'an earlier call of this transaction has failed' }, state.cause);
      }
      if (state.name !== 'OPEN' && !repairs) throw errors.transactionMisused({ transactionalId, act, state: state.name.toLowerCase() });
      try {
        const result = await work();
        if (this.#state.name === 'FAILED') this.#state = { name: 'OPEN' };
        return result;
      } catch (thrown) {
        const cause = this.#failureOf(act, thrown);
        const { code } = cause as { code?: string };
        this.#state =
          code === 'KAFKA_COMMIT_OUTCOME_UNKNOWN' || code === 'KAFKA_NOT_COMMITTED'
            ? { name: 'ABORTED' } // T4: nothing is left to abort
            : { name: 'FAILED', cause, mayRepair: code === MEMBER_STALE };
        throw cause;
      }
    });
  }

  /** Within a transaction "try again" is no advice: part of it may have happened. */
  #failureOf(act: string, thrown: unknown): unknown {
    const { transactionalId } = this.parts.producer;
    if (!isWeirError(thrown, 'retry')) return thrown;
    return errors.transactionFailed({ transactionalId, act, problem: thrown.message }, thrown);
  }
}

function unique(appends: readonly Append[]): readonly { topic: string; partition: number }[] {
  const found = new Map(appends.map(({ topic, partition }) => [partitionName(topic, partition), { topic, partition }]));
  return [...found.values()];
}
