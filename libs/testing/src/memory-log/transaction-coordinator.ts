import type { Cancel, Clock, GroupMembership, PartitionOffset } from '@weir/core';
import { errors } from '../errors.js';
import type { ConsumerGroups } from './consumer-groups.js';
import type { PackedRows } from './packed-rows.js';
import type { PartitionLog, TransactionMark } from './partition-log.js';

/**
 * TransactionCoordinator: transactional ids, their producers, and how their transactions end, after Kafka's own
 * (KIP-98; KIP-447 for the checks on groups).
 *
 * It owns producer ids and epochs, the phases of each transaction, its timeout, and the order in which markers reach partitions.
 * It does not own records (PartitionLog) nor how requests travel and are repeated (ClientChannel).
 *
 *                 end(commit)                    all markers written
 *   ONGOING ---------------------> PREPARE_COMMIT -----------------> COMPLETE_COMMIT
 *      |
 *      | end(abort), claim by another writer, timeout
 *      +-------------------------> PREPARE_ABORT ------------------> COMPLETE_ABORT
 *
 * As in Kafka the answer to an end comes before the markers: the outcome is decided in PREPARE, and visible in each partition when
 * its marker is there, which takes a time of its own per partition. Meanwhile the producer's next request is `BUSY`
 * (CONCURRENT_TRANSACTIONS), and its client tries again.
 *
 * Invariants:
 * - C1. A request with an epoch below the producer's present one is refused as fenced, before it has any effect.
 * - C2. Claim and timeout raise the epoch in the same step in which they abort the open transaction.
 * - C3. A claim answers only when no transaction of the id is open or waits for markers.
 * - C4. A repeated request (same number) has no second effect and gets the first one's answer; a repeated end gets the outcome.
 */
export class TransactionCoordinator {
  readonly #producers = new Map<string, Producer>();
  #nextProducerId = 1000;

  constructor(
    private readonly clock: Clock,
    private readonly groups: ConsumerGroups,
    /** Milliseconds until the next marker is written; 0 for at once. */
    private readonly markerDelayMs: () => number,
  ) {}

  /** InitProducerId: makes the caller the one writer of the id, once every older transaction of it has ended (C2, C3). */
  claim(transactionalId: string, timeoutMs: number): ProducerIdentity | typeof BUSY {
    const producer = this.#producers.get(transactionalId);
    if (producer === undefined) {
      const made: Producer = { transactionalId, id: this.#nextProducerId++, epoch: 0, timeoutMs, transaction: undefined, last: undefined };
      this.#producers.set(transactionalId, made);
      return identityOf(made);
    }
    const { transaction } = producer;
    if (transaction?.phase === 'ONGOING') this.#fenceAndAbort(producer, transaction);
    if (transaction !== undefined && isPreparing(transaction)) return BUSY;
    this.#raiseEpoch(producer);
    producer.timeoutMs = timeoutMs;
    producer.transaction = undefined;
    return identityOf(producer);
  }

  /** Produce: puts rows into the open transaction, which begins with this if none is open. Returns the first offset of each. */
  append(request: ProducerRequest, appends: readonly PartitionAppend[]): AppendOutcome | typeof BUSY {
    const producer = this.#check('append', request);
    if (producer.last?.number === request.number) return producer.last.outcome;
    const transaction = this.#transactionOf(producer);
    if (transaction === BUSY) return BUSY;
    const outcome = appends.map(({ log, rows }) => {
      const firstOffset = log.append(rows, transaction.mark);
      if (rows.columns.count > 0 && !transaction.partitions.has(log)) transaction.partitions.set(log, firstOffset);
      return { firstOffset, nextOffset: firstOffset + rows.columns.count, leaderEpoch: log.leaderEpoch };
    });
    producer.last = { number: request.number, outcome };
    return outcome;
  }

  /** TxnOffsetCommit: adds offsets to the open transaction, which begins with this if none is open. */
  addOffsets(request: ProducerRequest, group: GroupMembership, offsets: readonly PartitionOffset[]): true | typeof BUSY {
    const producer = this.#check('add offsets', request);
    this.groups.check(group);
    const transaction = this.#transactionOf(producer);
    if (transaction === BUSY) return BUSY;
    const held = transaction.offsets.get(group.groupId) ?? [];
    transaction.offsets.set(group.groupId, [...held, ...offsets]);
    return true;
  }

  /** EndTxn. For a transaction that sent something; one that never did has nothing to end. */
  end(request: ProducerRequest, outcome: 'committed' | 'aborted'): true | typeof BUSY {
    const producer = this.#check(outcome === 'committed' ? 'commit' : 'abort', request);
    const { transaction } = producer;
    if (transaction?.phase === 'ONGOING') {
      this.#prepare(transaction, outcome);
      return true;
    }
    if (transaction !== undefined && isPreparing(transaction)) return BUSY;
    // Requests that failed on their way may have left nothing to abort.
    if (outcome === 'aborted') return true;
    if (transaction?.mark.outcome !== outcome) {
      const state = transaction?.mark.outcome ?? 'unknown to the log';
      throw errors.transactionEnded({ act: `end as ${outcome}`, transactionalId: request.transactionalId, state });
    }
    return true;
  }

  open(): readonly OpenTransaction[] {
    const views: OpenTransaction[] = [];
    for (const { transactionalId, id, epoch, transaction } of this.#producers.values()) {
      if (transaction === undefined || transaction.phase === 'COMPLETE_COMMIT' || transaction.phase === 'COMPLETE_ABORT') continue;
      const partitions = [...transaction.partitions].map(([{ topic, partition }, firstOffset]) => ({ topic, partition, firstOffset }));
      views.push({ transactionalId, producerId: id, epoch, phase: transaction.phase, partitions, groups: [...transaction.offsets.keys()] });
    }
    return views;
  }

  /** Present epoch of a transactional id; undefined if nobody claimed it yet. */
  epochOf(transactionalId: string): number | undefined {
    return this.#producers.get(transactionalId)?.epoch;
  }

  /** Stops the timeouts of open transactions, so that no timer outlives the cluster. */
  close(): void {
    for (const { transaction } of this.#producers.values()) transaction?.cancelTimeout();
  }

  /** C1. */
  #check(act: string, request: ProducerRequest): Producer {
    const producer = this.#producers.get(request.transactionalId)!;
    if (producer.id !== request.producerId || producer.epoch !== request.epoch) {
      throw errors.writerFenced({ act, transactionalId: request.transactionalId, epoch: request.epoch, currentEpoch: producer.epoch });
    }
    return producer;
  }

  #transactionOf(producer: Producer): Transaction | typeof BUSY {
    const { transaction } = producer;
    if (transaction?.phase === 'ONGOING') return transaction;
    if (transaction !== undefined && isPreparing(transaction)) return BUSY;
    const begun: Transaction = {
      phase: 'ONGOING',
      mark: { producerId: producer.id, transactionalId: producer.transactionalId, outcome: 'open' },
      partitions: new Map(),
      offsets: new Map(),
      cancelTimeout: this.clock.after(producer.timeoutMs, () => this.#timedOut(producer, begun)),
    };
    producer.transaction = begun;
    return begun;
  }

  #timedOut(producer: Producer, transaction: Transaction): void {
    if (transaction.phase === 'ONGOING') this.#fenceAndAbort(producer, transaction);
  }

  /** C2: epoch and outcome change in one step, so that no request of the old writer gets between them. */
  #fenceAndAbort(producer: Producer, transaction: Transaction): void {
    this.#raiseEpoch(producer);
    this.#prepare(transaction, 'aborted');
  }

  /** Epochs are 16 bits wide; when they run out the producer id changes. */
  #raiseEpoch(producer: Producer): void {
    if (producer.epoch < LAST_EPOCH) producer.epoch++;
    else {
      producer.id = this.#nextProducerId++;
      producer.epoch = 0;
    }
    producer.last = undefined;
  }

  #prepare(transaction: Transaction, outcome: 'committed' | 'aborted'): void {
    transaction.cancelTimeout();
    transaction.phase = outcome === 'committed' ? 'PREPARE_COMMIT' : 'PREPARE_ABORT';
    transaction.mark.outcome = outcome;
    const steps = [...transaction.partitions.keys()].map((log) => () => log.appendMarker(transaction.mark, outcome));
    if (outcome === 'committed') {
      for (const [groupId, offsets] of transaction.offsets) steps.push(() => this.groups.commit(groupId, offsets));
    }
    let left = steps.length;
    const done = (): void => {
      if (left === 0) transaction.phase = outcome === 'committed' ? 'COMPLETE_COMMIT' : 'COMPLETE_ABORT';
    };
    for (const step of steps) {
      const write = (): void => {
        step();
        left--;
        done();
      };
      const delayMs = this.markerDelayMs();
      if (delayMs === 0) write();
      else this.clock.after(delayMs, write);
    }
    done();
  }
}

/** The answer to a request that must be sent again, because the producer's last transaction still waits for its markers. */
export const BUSY = Symbol('busy');

export interface ProducerIdentity {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly epoch: number;
}

/** A request of a producer; `number` counts its requests and stays the same when it is sent again. */
export interface ProducerRequest extends ProducerIdentity {
  readonly number: number;
}

export interface PartitionAppend {
  readonly log: PartitionLog;
  readonly rows: PackedRows;
}

export type AppendOutcome = readonly { readonly firstOffset: number; readonly nextOffset: number; readonly leaderEpoch: number }[];

export type TransactionPhase = 'ONGOING' | 'PREPARE_COMMIT' | 'PREPARE_ABORT' | 'COMPLETE_COMMIT' | 'COMPLETE_ABORT';

/** A transaction that has not ended in every partition, as a spec sees it. */
export interface OpenTransaction {
  readonly transactionalId: string;
  readonly producerId: number;
  readonly epoch: number;
  readonly phase: TransactionPhase;
  readonly partitions: readonly { readonly topic: string; readonly partition: number; readonly firstOffset: number }[];
  readonly groups: readonly string[];
}

interface Producer {
  readonly transactionalId: string;
  id: number;
  epoch: number;
  timeoutMs: number;
  /** The open one, or the last that ended. */
  transaction: Transaction | undefined;
  /** The last append that took effect in this epoch (C4). */
  last: { readonly number: number; readonly outcome: AppendOutcome } | undefined;
}

interface Transaction {
  phase: TransactionPhase;
  readonly mark: TransactionMark;
  /** First offset per partition. */
  readonly partitions: Map<PartitionLog, number>;
  readonly offsets: Map<string, readonly PartitionOffset[]>;
  readonly cancelTimeout: Cancel;
}

const LAST_EPOCH = 32_767;

const isPreparing = ({ phase }: Transaction): boolean => phase === 'PREPARE_COMMIT' || phase === 'PREPARE_ABORT';
const identityOf = (producer: Producer): ProducerIdentity => ({
  transactionalId: producer.transactionalId,
  producerId: producer.id,
  epoch: producer.epoch,
});
