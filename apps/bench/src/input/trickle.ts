import { type Append, type LogWriter, RecordWriter } from '@weir/core';
import type { Session } from '../run/session.js';
import { type KeySet, partitionsOf, sensorId } from './fleet.js';

/** Enough for every partition to have one. */
export const TRICKLE_SENSORS = 10_000;
const TRANSACTION_TIMEOUT_MS = 60_000;

/** One reading into every partition again and again, so that each task always has a little to commit. */
export class Trickle {
  #isStopping = false;

  private constructor(
    private readonly session: Session,
    private readonly writer: LogWriter,
    private readonly appends: readonly Append[],
    private readonly everyMs: number,
  ) {}

  static async during<T>(session: Session, topic: string, keySet: KeySet, everyMs: number, act: () => Promise<T>): Promise<T> {
    const places = partitionsOf(keySet);
    const appends = Array.from({ length: keySet.partitions }, (_, partition): Append => {
      const id = sensorId(places.indexOf(partition));
      const rows = new RecordWriter();
      rows.add(session.clock.wall(), Buffer.from(id), Buffer.from(`${id},${Math.floor(session.clock.wall() / 1_000)},20`));
      return { topic, partition, records: rows.columns };
    });
    const writer = await session.log.openWriter({ transactionalId: `${topic}-feed`, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
    const trickle = new Trickle(session, writer, appends, everyMs);
    const feeding = trickle.#feed();
    try {
      return await act();
    } finally {
      trickle.#isStopping = true;
      await feeding;
      await writer.close();
    }
  }

  async #feed(): Promise<void> {
    while (!this.#isStopping) {
      const transaction = this.writer.begin();
      await transaction.append(this.appends);
      await transaction.commit();
      await new Promise<void>((resolve) => void this.session.clock.after(this.everyMs, resolve));
    }
  }
}
