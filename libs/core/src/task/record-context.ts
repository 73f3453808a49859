import { RecordColumns } from '../model/record-columns.js';

/**
 * The record that a task is processing, as its operators see it: one mutable object for the whole task, so that a record costs none.
 * `row` picks it out of the chunk at hand; `key` is the key of the stream at that point (the record's own, until a keyBy).
 */
export class RecordContext {
  topic = '';
  partition = 0;
  columns: RecordColumns = new RecordColumns();
  row = 0;
  key: unknown = null;
  /** Whether it is a timer that is processed; then `topic` names its operator. */
  isTimer = false;

  get offset(): number {
    return this.columns.offset[this.row]!;
  }

  get timestamp(): number {
    return this.columns.timestamp[this.row]!;
  }

  enterTimer(operator: string, columns: RecordColumns): void {
    this.topic = `timers of ${operator}`;
    this.partition = -1;
    this.columns = columns;
    this.row = 0;
    this.isTimer = true;
  }

  leaveTimer(): void {
    this.isTimer = false;
  }
}
