import {
  isWeirError,
  partitionName,
  type GroupMembership,
  type PartitionOffset,
  type TopicPartition,
  type WeirError,
  type WriterOptions,
} from '@weir/core';
import { errors } from '../errors.js';
import { Backoff } from '../wire/backoff.js';
import type { Cluster } from '../wire/cluster.js';
import { CODE, codeName, isFenced, isPassing, isRefused, isStaleCoordinator, isStaleMember } from '../wire/error-codes.js';
import type { CoordinatorKind } from '../wire/metadata-messages.js';
import { APIS, type Api, type Role, TRANSACTION_CALLS, type TransactionVersion } from '../wire/wire.js';
import type { BatchProducer } from './appender.js';
import { PartitionSequences } from './partition-sequences.js';
import {
  NO_PRODUCER,
  decodeAddPartitions,
  decodeErrorAlone,
  decodeEndTxn,
  decodeInitProducerId,
  decodeTxnOffsetCommit,
  encodeAddOffsets,
  encodeAddPartitions,
  encodeEndTxn,
  encodeInitProducerId,
  encodeTxnOffsetCommit,
  type ProducerIdentity,
} from './transaction-messages.js';

/**
 * Producer: the identity under which a writer writes, and the calls to the coordinators that a transaction is made of (KIP-98, with
 * the fencing of KIP-447 and the renewal of KIP-360). It owns producer id, epoch and sequence numbers. It does not own the order of
 * the calls: the transaction does.
 *
 * Every call is tried until it has a definite answer, or its time is over. What an answer means is decided in one place, `#judge`.
 *
 * Invariants:
 * - P1. A request whose answer was lost taints the producer: a copy of it may still be on its way. Before the next transaction the
 *   epoch is raised, so that a late copy is refused and can neither end that transaction nor write into it.
 * - P2. Raising passes the present identity on. Should another writer have taken the id over meanwhile, the answer is `fenced`; a plain
 *   InitProducerId would fence that rightful owner instead.
 * - P3. Sequence numbers begin anew with each identity (partition-sequences.ts).
 * - P4. Once fenced, always fenced: every later call says so without asking.
 *
 * Two versions of transactions, chosen by what the cluster offers when the id is claimed:
 *
 *   version 1   claim -> identity -> [AddPartitionsToTxn, Produce, AddOffsetsToTxn, TxnOffsetCommit, EndTxn]* under the same identity;
 *               renewed by InitProducerId where P1 asks for it
 *   version 2   claim -> identity -> [Produce, TxnOffsetCommit, EndTxn -> next identity]*
 *   (KIP-890)
 *
 * In version 2 Produce and TxnOffsetCommit add what they write to, and every EndTxn, commit or abort, raises the epoch and says so. Hence:
 * - P5. The identity changes exactly when EndTxn has answered without an error, or with a claim; sequence numbers then begin at 0 (P3).
 * - P6. EndTxn is asked again under the identity that it was first asked with: the coordinator knows that epoch + 1 is its own doing, and
 *   gives the same answer, with the same next identity. A late copy of it finds a higher epoch and is refused, so P1 is kept by ending the
 *   transaction, and renewing is an abort. Should that say that there is nothing to abort, InitProducerId raises the epoch as in version 1.
 * - P7. Nothing outside of this class may depend on epochs: they rise with every transaction, and begin again under another producer id.
 * - P8. A transaction that the log itself has aborted, at its timeout, is CompleteAbort under epoch + 1: in version 2 its commit is answered
 *   as an invalid state, and not as fenced. It is fenced all the same.
 */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 100;

/** What an answer means: `done`, try again (and why), or an error to throw. */
type Verdict = 'done' | { readonly again: string } | { readonly error: WeirError };

export class Producer implements BatchProducer {
  readonly transactionalId: string;
  readonly sequences = new PartitionSequences();
  readonly produceCall: Api;
  readonly #calls: (typeof TRANSACTION_CALLS)[TransactionVersion];
  #identity: ProducerIdentity = NO_PRODUCER;
  #tainted = false;
  #fenced: WeirError | undefined;
  #abandoned = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly options: WriterOptions,
    /** The connections that this producer uses. */
    readonly role: Role,
    private readonly requestTimeoutMs: number,
    private readonly version: TransactionVersion,
  ) {
    this.transactionalId = options.transactionalId;
    this.#calls = TRANSACTION_CALLS[version];
    this.produceCall = this.#calls.produce;
  }

  get identity(): ProducerIdentity {
    return this.#identity;
  }

  /** @throws WeirError `fenced` once another writer has taken over (P4) */
  checkFenced(): void {
    if (this.#fenced !== undefined) throw this.#fenced;
  }

  /** From now on calls are given up at their next pause. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** A request of this transaction may still be on its way (P1). */
  taint(): void {
    this.#tainted = true;
  }

  /** Claims the transactional id: ends the open transaction of every older writer, and waits until it has ended. */
  claim(): Promise<void> {
    return this.#init(NO_PRODUCER, this.requestTimeoutMs);
  }

  /** Makes the producer fit for another transaction; costs nothing unless it is tainted. */
  async renew(): Promise<void> {
    if (!this.#tainted) return;
    // An open transaction must have ended before the epoch can be raised in place: the log would fence this writer to end it.
    await this.abort();
    if (this.#tainted) await this.#init(this.#identity, this.options.transactionTimeoutMs); // P2, P6
  }

  async #init(current: ProducerIdentity, withinMs: number): Promise<void> {
    const { transactionalId, options } = this;
    const body = encodeInitProducerId(transactionalId, options.transactionTimeoutMs, current);
    let next = NO_PRODUCER;
    await this.#call(
      'InitProducerId',
      APIS.initProducerId,
      ['transaction', transactionalId],
      withinMs,
      () => body,
      (answer) => {
        const { error, ...identity } = decodeInitProducerId(answer);
        next = identity;
        return this.#judge('InitProducerId', error);
      },
    );
    this.#take(next);
  }

  /** From now on it writes under this identity (P5). */
  #take(next: ProducerIdentity): void {
    this.#identity = next;
    this.#tainted = false;
    this.sequences.clear(); // P3
  }

  /** Nothing in version 2: Produce does it. */
  async addPartitions(partitions: readonly TopicPartition[], withinMs: number): Promise<void> {
    if (this.version === 2) return;
    const { transactionalId } = this;
    let left = partitions;
    const body = (): readonly Buffer[] => encodeAddPartitions(transactionalId, this.#identity, left);
    await this.#call('AddPartitionsToTxn', APIS.addPartitionsToTxn, ['transaction', transactionalId], withinMs, body, (answer) => {
      let verdict: Verdict = 'done';
      const failed: TopicPartition[] = [];
      for (const result of decodeAddPartitions(answer)) {
        if (result.error === CODE.NONE) continue;
        failed.push(result);
        const one = this.#judge(`AddPartitionsToTxn of ${partitionName(result.topic, result.partition)}`, result.error);
        // OPERATION_NOT_ATTEMPTED stands beside the partition that is to blame; an error outweighs a reason to try again.
        if (verdict === 'done' || (typeof one === 'object' && 'error' in one && result.error !== OPERATION_NOT_ATTEMPTED)) verdict = one;
      }
      if (failed.length > 0) left = failed;
      return verdict;
    });
  }

  async addOffsets(group: GroupMembership, offsets: readonly PartitionOffset[], withinMs: number): Promise<void> {
    const { transactionalId } = this;
    const { groupId } = group;
    if (this.version === 1) {
      await this.#call(
        'AddOffsetsToTxn',
        APIS.addOffsetsToTxn,
        ['transaction', transactionalId],
        withinMs,
        () => encodeAddOffsets(transactionalId, this.#identity, groupId),
        (answer) => this.#judge('AddOffsetsToTxn', decodeErrorAlone(APIS.addOffsetsToTxn, answer)),
      );
    }
    const { txnOffsetCommit } = this.#calls;
    await this.#call(
      'TxnOffsetCommit',
      txnOffsetCommit,
      ['group', groupId],
      withinMs,
      () => encodeTxnOffsetCommit(txnOffsetCommit, transactionalId, this.#identity, group, offsets),
      (answer) => {
        const failed = decodeTxnOffsetCommit(txnOffsetCommit, answer).find(({ error }) => error !== CODE.NONE);
        if (failed === undefined) return 'done';
        if (!isStaleMember(failed.error)) return this.#judge('TxnOffsetCommit', failed.error);
        return { error: errors.memberStale({ ...group, answer: codeName(failed.error) }) };
      },
    );
  }

  /**
   * Commits. Tried until the answer is definite, whatever time that takes: an unknown commit is never taken for an abort.
   * @throws WeirError `restart-task` KAFKA_NOT_COMMITTED; `fenced`
   */
  async commit(): Promise<void> {
    await this.#end(true, Infinity, (error) => {
      // A commit that was carried out is answered with NONE when it is asked for again; these answers mean that it never was.
      if (error === CODE.INVALID_TXN_STATE && this.version === 2) return { error: this.fence('EndTxn (commit)', error) }; // P8
      if (error === CODE.INVALID_TXN_STATE || error === CODE.TRANSACTION_ABORTABLE) {
        this.taint(); // it may still be open
        return { error: errors.notCommitted({ transactionalId: this.transactionalId, answer: codeName(error) }) };
      }
      const verdict = this.#judge('EndTxn (commit)', error);
      if (verdict === 'done' || 'again' in verdict || verdict.error.kind === 'fenced') return verdict;
      // Any other error says nothing about an earlier attempt whose answer was lost.
      return verdict.error.kind === 'invalid' && !this.#tainted ? verdict : { again: codeName(error) };
    });
  }

  /** Aborts; a transaction that has ended already, or was never begun at the log, is left as it is. */
  async abort(): Promise<void> {
    await this.#end(false, this.requestTimeoutMs, (error) => (error === CODE.INVALID_TXN_STATE ? 'done' : this.#judge('EndTxn (abort)', error)));
  }

  async #end(commit: boolean, withinMs: number, judge: (error: number) => Verdict): Promise<void> {
    const { transactionalId } = this;
    const { endTxn } = this.#calls;
    const body = encodeEndTxn(endTxn, transactionalId, this.#identity, commit); // P6
    const act = commit ? 'EndTxn (commit)' : 'EndTxn (abort)';
    await this.#call(act, endTxn, ['transaction', transactionalId], withinMs, () => body, (answer) => {
      const { error, next } = decodeEndTxn(endTxn, answer);
      if (error === CODE.NONE && next !== undefined) this.#take(next); // P5
      return judge(error);
    });
  }

  /** What an error code of the log means for this producer. */
  #judge(act: string, code: number): Verdict {
    const { transactionalId } = this;
    if (code === CODE.NONE) return 'done';
    if (isFenced(code)) return { error: this.fence(act, code) };
    if (isPassing(code) || isStaleCoordinator(code) || code === CODE.CONCURRENT_TRANSACTIONS) return { again: codeName(code) };
    if (code === CODE.UNKNOWN_TOPIC_OR_PARTITION || code === CODE.UNSTABLE_OFFSET_COMMIT) return { again: codeName(code) };
    if (isRefused(code) || code === CODE.INVALID_TRANSACTION_TIMEOUT) {
      const tooLong = `the broker's transaction.max.timeout.ms is lower than ${this.options.transactionTimeoutMs}`;
      const detail = code === CODE.INVALID_TRANSACTION_TIMEOUT ? tooLong : '';
      return { error: errors.callRefused({ act, object: transactionalId, answer: codeName(code), detail }) };
    }
    return { error: this.failed(act, codeName(code)) };
  }

  failed(act: string, problem: string, cause?: unknown): WeirError {
    return errors.transactionFailed({ transactionalId: this.transactionalId, act, problem }, cause);
  }

  /** Takes note that this writer was fenced (P4). @returns the error to throw */
  fence(act: string, code: number): WeirError {
    this.#fenced ??= errors.writerFenced({ transactionalId: this.transactionalId, act, answer: codeName(code) });
    return this.#fenced;
  }

  /** Sends to a coordinator until the answer is definite. */
  async #call(
    act: string,
    api: Api,
    [kind, key]: readonly [CoordinatorKind, string],
    withinMs: number,
    body: () => readonly Buffer[],
    judge: (answer: Buffer) => Verdict,
  ): Promise<void> {
    const { cluster, transactionalId } = this;
    const { clock } = cluster;
    const started = clock.monotonic();
    const backoff = new Backoff(clock, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      this.checkFenced();
      let last: string;
      let cause: unknown;
      try {
        const coordinator = await cluster.coordinator(kind, key);
        if ('done' in coordinator) {
          const verdict = judge(await cluster.wire.send(coordinator.done, this.role, api, body()));
          if (verdict === 'done') return;
          if ('error' in verdict) throw verdict.error;
          last = verdict.again;
          if (last !== CONCURRENT) cluster.forgetCoordinator(kind, key);
        } else last = coordinator.again;
      } catch (thrown) {
        if (!isWeirError(thrown, 'retry')) throw thrown;
        if (thrown.code === 'KAFKA_REPLY_LOST') this.taint(); // P1
        cluster.forgetCoordinator(kind, key);
        last = thrown.message;
        cause = thrown;
      }
      const afterMs = Math.round(clock.monotonic() - started);
      if (this.#abandoned || cluster.isClosed) throw this.#givenUp(act, afterMs, last, cause);
      if (afterMs >= withinMs) throw errors.callUnanswered({ act, object: transactionalId, afterMs, last }, cause);
      await backoff.pause();
    }
  }

  #givenUp(act: string, afterMs: number, last: string, cause: unknown): WeirError {
    const { transactionalId } = this;
    return act === 'EndTxn (commit)'
      ? errors.outcomeUnknown({ transactionalId, last }, cause)
      : errors.callUnanswered({ act, object: transactionalId, afterMs, last }, cause);
  }
}

const CONCURRENT = codeName(CODE.CONCURRENT_TRANSACTIONS);
const OPERATION_NOT_ATTEMPTED = 55;
