import { RecordColumns } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import type { KeyTable } from '../state/key-table.js';
import type { KeyedTimers } from '../state/timer-service.js';
import type { Collector, KeyedProcess } from '../topology/functions.js';
import { functionFailed, type Receiver } from './operators.js';
import type { RecordContext } from './record-context.js';

/**
 * Fires the timers of one operator. A firing looks like a record to what stands behind it: it has the timer's time as its timestamp, the
 * key, and no headers.
 */
export class TimerRun {
  readonly #out: Collector<unknown>;
  /** One row, for the time. */
  readonly #columns = new RecordColumns();

  constructor(
    readonly timers: KeyedTimers,
    private readonly table: KeyTable,
    private readonly context: RecordContext,
    private readonly fn: KeyedProcess<unknown, unknown, unknown>,
    next: Receiver,
  ) {
    this.#out = { collect: (value) => next.receive(value) };
    this.#columns.count = 1;
  }

  /** @param now milliseconds since the epoch */
  fire(now: number, limit: number, store: StateStore): void {
    const due = this.timers.takeDue(now, limit);
    if (due.length === 0) return;
    const { context, table } = this;
    context.enterTimer(this.timers.operator, this.#columns);
    const entries = due.map(({ key }) => table.resolveBytes(key));
    table.loadMissing(store);
    due.forEach(({ at }, i) => {
      const entry = entries[i]!;
      this.#columns.timestamp[0] = at;
      context.key = entry.key;
      table.current = entry;
      try {
        this.fn.onTimer(at, this.#out);
      } catch (thrown) {
        throw functionFailed(thrown, this.timers.operator, context);
      }
    });
    table.current = undefined;
    context.leaveTimer();
    table.evict();
  }
}
