import { type Append, type AppendResult, type LogAppender, offset } from '@weir/core';
import type { ClientChannel } from './client-channel.js';
import { packRows } from './packed-rows.js';
import { checkRows, type WriterBroker } from './memory-writer.js';

/** Appends outside of transactions on the in-memory log, one request after another. */
export class MemoryAppender implements LogAppender {
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly channel: ClientChannel,
    private readonly broker: Pick<WriterBroker, 'log' | 'topicLimits'>,
  ) {}

  append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    if (this.#closed || this.channel.isClosed) return Promise.reject(this.channel.closedError('append outside of transactions'));
    // Copied now: what the caller does with its columns after this call does not matter.
    const packed = appends.map(({ topic, partition, records }) => ({ topic, partition, rows: packRows(records) }));
    const send = (): Promise<readonly AppendResult[]> => {
      let done: readonly AppendResult[] | undefined; // a request that is sent again has no second effect
      return this.channel.call({ call: 'publish', clientId: this.channel.context.clientId, partitions: packed }, () => (done ??= this.#effect(packed)));
    };
    const mine = this.#tail.then(send);
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  #effect(packed: readonly { readonly topic: string; readonly partition: number; readonly rows: ReturnType<typeof packRows> }[]): readonly AppendResult[] {
    const checked = packed.map(({ topic, partition, rows }) => {
      checkRows(this.broker, topic, partition, rows);
      return { topic, partition, rows, log: this.broker.log('append to', topic, partition) };
    });
    return checked.map(({ topic, partition, rows, log }) => {
      const firstOffset = log.append(rows, undefined);
      return { topic, partition, firstOffset: offset(firstOffset), nextOffset: offset(firstOffset + rows.columns.count), leaderEpoch: log.leaderEpoch };
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }
}
