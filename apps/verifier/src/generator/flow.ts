import { type Clock, sleep } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import type { FedRecord } from './sensor-walk.js';

/** Where the flow goes: the feeder; specs take a list. */
export interface FlowSink {
  send(record: FedRecord): Promise<void>;
  /** Ends the transaction of what was sent since the last one. */
  endTransaction(how: 'commit' | 'abort'): Promise<void>;
}

export interface FlowOptions {
  readonly seed: number;
  readonly readings: number;
  /**
   * Milliseconds over which what is left is to be spread, as is thought now; 0 for at once. Asked at every tick, for kills take the time
   * that they take: the flow goes on, evenly, until after the last of them.
   */
  readonly remainingMs: () => number;
  /**
   * `plain`: as an idempotent producer sends them. `transactions`: in transactions, some of which send junk and are aborted, so that
   * a reader that sees aborted records raises false alarms.
   */
  readonly mode: 'plain' | 'transactions';
  readonly clock: Clock;
}

const TICK_MS = 20;
const ABORTED = 0.2;

/** A flow of readings that ends when it is told, not when it is done: see FlowOptions.remainingMs. */
export class Flow {
  readonly #junk: SeededRandom;
  #sent = 0;
  #stopped = false;

  constructor(
    private readonly walk: { next(): FedRecord },
    private readonly sink: FlowSink,
    private readonly options: FlowOptions,
  ) {
    this.#junk = new SeededRandom(options.seed).fork(1);
  }

  get sent(): number {
    return this.#sent;
  }

  /** Ends the flow where it is. */
  stop(): void {
    this.#stopped = true;
  }

  /** Resolves when every reading was sent, or it was stopped. */
  async run(): Promise<void> {
    const { clock, readings, remainingMs } = this.options;
    let owed = 0;
    let last = clock.monotonic();
    while (this.#sent < readings && !this.#stopped) {
      await sleep(clock, TICK_MS);
      const now = clock.monotonic();
      const left = readings - this.#sent;
      const part = (now - last) / Math.max(remainingMs(), now - last);
      last = now;
      owed = Math.min(left, owed + left * part);
      const due = Math.floor(owed);
      owed -= due;
      if (due > 0) await this.#send(due);
    }
  }

  async #send(count: number): Promise<void> {
    const transactional = this.options.mode === 'transactions';
    if (transactional && this.#junk.chance(ABORTED)) await this.#sendJunk(Math.min(count, 20));
    for (let i = 0; i < count; i++) await this.sink.send(this.walk.next());
    this.#sent += count;
    if (transactional) await this.sink.endTransaction('commit');
  }

  /** Readings that never were: each would raise an alarm of its own. */
  async #sendJunk(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.sink.send({ key: `sensor_${i}`, value: `sensor_${i},${i},-273.1` });
    await this.sink.endTransaction('abort');
  }
}
