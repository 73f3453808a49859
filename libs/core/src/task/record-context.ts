import type { Codec } from '../codec/codec.js';
import { decodeHeaders, type RecordHeader } from '../model/headers.js';
import { NULL, RecordColumns } from '../model/record-columns.js';
import type { RecordView } from '../topology/record-view.js';

/**
 * The record that a task is processing, as its operators see it: one mutable object for the whole task, so that a record costs none.
 * Functions see it as a RecordView. `row` picks it out of the chunk at hand; `key` is the key of the stream at that point (the record's own, until a keyBy).
 */
export class RecordContext implements RecordView {
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

  keyAs<K>(codec: Codec<K>): K | null {
    const { buffer, keyStart, keyEnd } = this.columns;
    const start = keyStart[this.row]!;
    return start === NULL ? null : codec.decode(buffer, start, keyEnd[this.row]!);
  }

  keyBytes(): Buffer | null {
    return this.columns.key(this.row);
  }

  headers(): readonly RecordHeader[] {
    const { buffer, headersStart, headersEnd } = this.columns;
    return decodeHeaders(buffer, headersStart[this.row]!, headersEnd[this.row]!);
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
