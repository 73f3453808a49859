import { NULL, RecordColumns } from '../model/record-columns.js';
import type { StateStore } from '../ports/state-backend.js';
import type { KeyTable } from '../state/key-table.js';
import type { KeyedTimers } from '../state/timer-service.js';
import type { Collector } from '../topology/functions.js';
import { functionFailed, type Receiver } from './operators.js';
import type { RecordContext } from './record-context.js';

/**
 * Fires the timers of one operator. A firing looks like a record to what stands behind it: it has the timer's time as its timestamp, the
 * key, and no headers.
 */
export class TimerRun {
  readonly #out: Collector<unknown>;
  /** A row for each that fires, with its time. */
  readonly #columns = new RecordColumns();

  constructor(
    readonly timers: KeyedTimers,
    private readonly table: KeyTable,
    private readonly context: RecordContext,
    private readonly fn: { onTimer(at: number, out: Collector<unknown>): void },
    next: Receiver,
  ) {
    this.#out = { collect: (value) => next.receive(value) };
  }

  /** What is gathered behind them by another keyBy is to be flushed before the next call. @param now milliseconds since the epoch */
  fire(now: number, limit: number, store: StateStore): void {
    const due = this.timers.takeDue(now, limit);
    if (due.length === 0) return;
    const { context, table } = this;
    const columns = this.#columns;
    columns.reserve(due.length);
    columns.count = due.length;
    columns.keyStart.fill(NULL, 0, due.length);
    context.enterTimer(this.timers.operator, columns);
    const entries = due.map(({ key }) => table.resolveBytes(key));
    table.loadMissing(store);
    due.forEach(({ at }, i) => {
      const entry = entries[i]!;
      columns.timestamp[i] = at;
      context.row = i;
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
  }
}
