import {
  isWeirError,
  MEMBER_STALE,
  offset,
  type Append,
  type AppendResult,
  type GroupMembership,
  type LogTransaction,
  type LogWriter,
  type PartitionOffset,
  type WeirError,
} from '@weir/core';
import { errors } from '../errors.js';
import type { ClientChannel } from './client-channel.js';
import type { CallFacts, LogCall } from './fault-plan.js';
import { packRows, rowSize, type PackedRows } from './packed-rows.js';
import type { PartitionLog } from './partition-log.js';
import type { AppendOutcome, BUSY, PartitionAppend, ProducerIdentity, ProducerRequest } from './transaction-coordinator.js';

/** What a writer needs of the cluster. */
export interface WriterBroker {
  log(act: string, topic: string, partition: number): PartitionLog;
  topicLimits(topic: string): { readonly maxMessageBytes: number; readonly compacted: boolean };
  append(request: ProducerRequest, appends: readonly PartitionAppend[]): AppendOutcome | typeof BUSY;
  addOffsets(request: ProducerRequest, group: GroupMembership, offsets: readonly PartitionOffset[]): true | typeof BUSY;
  end(request: ProducerRequest, outcome: 'committed' | 'aborted'): true | typeof BUSY;
}

/**
 * The one writer of a transactional id on the in-memory log. Its requests go one after another, in the order of the calls, so an
 * append that is not awaited is still in its transaction before the commit.
 */
export class MemoryWriter implements LogWriter {
  #life: WriterLife = { name: 'OPEN' };
  #transaction: MemoryTransaction | undefined;
  #requests = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly identity: ProducerIdentity,
    private readonly channel: ClientChannel,
    private readonly broker: WriterBroker,
  ) {}

  get transactionalId(): string {
    return this.identity.transactionalId;
  }

  begin(): LogTransaction {
    if (this.#life.name === 'FENCED') throw this.#life.cause;
    if (this.#life.name === 'CLOSED' || this.channel.isClosed) throw this.channel.closedError('begin a transaction');
    if (this.#transaction?.isEnded === false) throw errors.transactionOpen({ transactionalId: this.transactionalId });
    this.#transaction = new MemoryTransaction(this, this.broker);
    return this.#transaction;
  }

  async close(): Promise<void> {
    await this.channel.alive();
    if (this.#life.name === 'CLOSED') return;
    // What cannot be aborted now is left to the successor or to the timeout.
    if (this.#transaction?.isEnded === false && this.#life.name === 'OPEN') await this.#transaction.abort().catch(() => undefined);
    this.#life = { name: 'CLOSED' };
  }

  /** Runs `work` once everything called before it is done. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#tail.then(work);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  /** One request to the log, repeated under one number until it has an answer. */
  async request<T>(call: LogCall, partitions: CallFacts['partitions'], effect: (request: ProducerRequest) => T | typeof BUSY): Promise<T> {
    if (this.#life.name === 'FENCED') throw this.#life.cause;
    if (this.#life.name === 'CLOSED') throw this.channel.closedError(call);
    const request = { ...this.identity, number: this.#requests++ };
    const facts = { call, clientId: this.channel.context.clientId, transactionalId: this.transactionalId, partitions };
    try {
      return await this.channel.call(facts, () => effect(request));
    } catch (thrown) {
      if (isWeirError(thrown, 'fenced') && thrown.code !== MEMBER_STALE) this.#life = { name: 'FENCED', cause: thrown };
      throw thrown;
    }
  }
}

type WriterLife = { readonly name: 'OPEN' } | { readonly name: 'FENCED'; readonly cause: WeirError } | { readonly name: 'CLOSED' };

/**
 * One transaction.
 *
 *   OPEN -- commit --> COMMITTED
 *    |  \
 *    |   +-- append or addOffsets or commit fails --> FAILED -- abort --> ABORTED
 *    |                                                `-- offsets of a stale member, sent again --> OPEN
 *    +------ abort ----------------------------------------------------> ABORTED
 *   any -- the writer turns out to be fenced --> FENCED
 */
type TransactionState =
  | { readonly name: 'OPEN' }
  | { readonly name: 'FAILED'; readonly cause: unknown }
  | { readonly name: 'COMMITTED' }
  | { readonly name: 'ABORTED' }
  | { readonly name: 'FENCED'; readonly cause: WeirError };

class MemoryTransaction implements LogTransaction {
  #state: TransactionState = { name: 'OPEN' };
  /** Whether the log may know of this transaction. */
  #sent = false;

  constructor(
    private readonly writer: MemoryWriter,
    private readonly broker: WriterBroker,
  ) {}

  get isEnded(): boolean {
    return this.#state.name === 'COMMITTED' || this.#state.name === 'ABORTED' || this.#state.name === 'FENCED';
  }

  append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    // Copied now: what the caller does with its columns after this call does not matter.
    const packed = appends.map(({ topic, partition, records }) => ({ topic, partition, rows: packRows(records) }));
    return this.writer.inTurn(() =>
      this.#step('append', async () => {
        this.#sent = true;
        const outcome = await this.writer.request('append', packed, (request) => {
          const checked = packed.map(({ topic, partition, rows }) => {
            checkRows(this.broker, topic, partition, rows);
            return { log: this.broker.log('append to', topic, partition), rows };
          });
          return this.broker.append(request, checked);
        });
        return outcome.map((result, i) => ({
          topic: packed[i]!.topic,
          partition: packed[i]!.partition,
          firstOffset: offset(result.firstOffset),
          nextOffset: offset(result.nextOffset),
          leaderEpoch: result.leaderEpoch,
        }));
      }),
    );
  }

  addOffsets(group: GroupMembership, offsets: readonly PartitionOffset[]): Promise<void> {
    const held = offsets.map((at) => ({ ...at }));
    return this.writer.inTurn(() =>
      this.#step(ADD_OFFSETS, async () => {
        this.#sent = true;
        await this.writer.request('addOffsets', held, (request) => this.broker.addOffsets(request, group, held));
      }),
    );
  }

  commit(): Promise<void> {
    return this.writer.inTurn(() =>
      this.#step('commit', async () => {
        if (this.#sent) await this.#end('committed');
        this.#state = { name: 'COMMITTED' };
      }),
    );
  }

  abort(): Promise<void> {
    return this.writer.inTurn(async () => {
      if (this.isEnded) return;
      try {
        if (this.#sent) await this.#end('aborted');
        this.#state = { name: 'ABORTED' };
      } catch (thrown) {
        this.#failed(thrown);
        throw thrown;
      }
    });
  }

  async #end(outcome: 'committed' | 'aborted'): Promise<void> {
    let applied = false;
    try {
      await this.writer.request(outcome === 'committed' ? 'commit' : 'abort', [], (request) => {
        const answer = this.broker.end(request, outcome);
        applied = true;
        return answer;
      });
    } catch (thrown) {
      // L4: once the log may have committed, only a definite answer or `fenced` may come out of commit.
      if (applied && outcome === 'committed' && isWeirError(thrown) && thrown.code === CLOSED) {
        throw errors.outcomeUnknown({ transactionalId: this.writer.transactionalId }, thrown);
      }
      throw thrown;
    }
  }

  /** Runs a step that only an open transaction may take; its failure fails the transaction, which can never be whole again (L3). */
  async #step<T>(act: string, work: () => Promise<T>): Promise<T> {
    const { transactionalId } = this.writer;
    if (this.#state.name === 'FENCED') throw this.#state.cause;
    const repairs = act === ADD_OFFSETS && this.#state.name === 'FAILED' && isWeirError(this.#state.cause) && this.#state.cause.code === MEMBER_STALE;
    if (this.#state.name === 'FAILED' && !repairs) throw errors.transactionFailed({ act, transactionalId }, this.#state.cause);
    if (this.#state.name !== 'OPEN' && !repairs) throw errors.transactionEnded({ act, transactionalId, state: this.#state.name.toLowerCase() });
    try {
      const result = await work();
      if (repairs) this.#state = { name: 'OPEN' };
      return result;
    } catch (thrown) {
      this.#failed(thrown);
      throw thrown;
    }
  }

  #failed(cause: unknown): void {
    const fenced = isWeirError(cause, 'fenced') && cause.code !== MEMBER_STALE;
    this.#state = fenced ? { name: 'FENCED', cause } : { name: 'FAILED', cause };
  }
}

/** @throws WeirError `invalid` for a record that the topic does not take */
export function checkRows(broker: Pick<WriterBroker, 'topicLimits'>, topic: string, partition: number, rows: PackedRows): void {
  const { maxMessageBytes, compacted } = broker.topicLimits(topic);
  for (let row = 0; row < rows.columns.count; row++) {
    const bytes = rowSize(rows, row, row + 1) + BATCH_OVERHEAD_BYTES;
    if (bytes > maxMessageBytes) throw errors.recordTooLarge({ topic, partition, row, bytes, limit: maxMessageBytes });
    if (compacted && rows.columns.key(row) === null) throw errors.keyRequired({ topic, partition, row });
  }
}

/** Header of a batch: the limit of a topic is on batches, and the smallest holds one record. */
const BATCH_OVERHEAD_BYTES = 61;
const ADD_OFFSETS = 'add offsets';
const CLOSED = 'LOG_CLOSED';
