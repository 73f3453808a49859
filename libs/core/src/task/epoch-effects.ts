import { type RecordColumns, RecordWriter } from '../model/record-columns.js';
import type { Append } from '../ports/log.js';
import { OutputBuffers } from './output-buffers.js';

/**
 * What a task has to write out of one epoch: its outputs by topic and partition, and its state changes. A task has two and takes them
 * in turn: one fills while the other is committed. Where outputs go out at once (at-once-outputs.ts) they are taken out of it before.
 */
export class EpochEffects {
  #outputs = new OutputBuffers();
  readonly changes = new RecordWriter();
  recordsIn = 0;
  #sentRecords = 0;
  #sentBytes = 0;

  /** Writers of a topic's partitions, one each; the same ones at every call, until the outputs are taken. */
  writersOf(topic: string, partitions: number): readonly RecordWriter[] {
    return this.#outputs.writersOf(topic, partitions);
  }

  /** Of what is still here. */
  get outputBytes(): number {
    return this.#outputs.byteLength;
  }

  /** Outputs of the whole epoch, those that were taken included. */
  get bytesOut(): number {
    return this.#sentBytes + this.#outputs.byteLength;
  }

  /** Of the whole epoch. */
  get bytes(): number {
    return this.bytesOut + this.changes.byteLength;
  }

  /** Of the whole epoch. */
  get recordsOut(): number {
    return this.#sentRecords + this.#outputs.count;
  }

  /** Whether there is anything in `outputAppends`. */
  get hasOutputs(): boolean {
    return this.#outputs.count > 0;
  }

  /** The partitions that something was written to. */
  outputAppends(): Append[] {
    return this.#outputs.appends();
  }

  /** What was written to a partition of an output; undefined if nothing ever was. */
  output(topic: string, partition: number): RecordColumns | undefined {
    return this.#outputs.output(topic, partition);
  }

  /** Gives the outputs away, to be sent apart. @param empty is filled from now on */
  takeOutputs(empty: OutputBuffers): OutputBuffers {
    const taken = this.#outputs;
    this.#sentRecords += taken.count;
    this.#sentBytes += taken.byteLength;
    this.#outputs = empty;
    return taken;
  }

  clear(): void {
    this.#outputs.clear();
    this.changes.clear();
    this.recordsIn = this.#sentRecords = this.#sentBytes = 0;
  }
}
