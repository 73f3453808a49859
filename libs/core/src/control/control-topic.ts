import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Offset } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import { partitionName, type TopicPartition } from '../model/topic-partition.js';
import { type Clock, sleep } from '../ports/clock.js';
import type { Log, LogAppender, LogChunk, LogReader } from '../ports/log.js';
import { Signal } from '../model/signal.js';
import { type CommandRecord, type ControlRecord, decodeControlRecord, type TaskReport, writeCommand, writeReport } from './control-record.js';
import { ControlView } from './control-view.js';

/**
 * A replica's end of the control topic: follows it, and appends the reports of the replica's tasks. It decides nothing: what is in the
 * view means something to the coordinator and to the tasks (job/).
 *
 * Invariants
 *   T1. Changes are told in the order of the log, each once, and only after `open` has resolved: what was decided before is in the view.
 *   T2. `readToEnd` resolves only when everything that was there at its call has been read, decided transactions included (I3).
 *   T3. Reports and commands are appended in the order in which they were made; one that could not be appended is tried again before the next.
 *       A report may be there twice, which changes nothing.
 *   T4. A reader that fails is replaced, and goes on where it was; what cannot be read ends the job, for nothing may be passed over.
 */
export interface ControlTopicParts {
  readonly log: Log;
  readonly clock: Clock;
  readonly topic: string;
  onChange(record: ControlRecord): void;
  /** The topic cannot be read or written, and never will be. */
  onFailure(error: Error): void;
}

const BUFFER_BYTES = 1024 * 1024;
/** Milliseconds before a reader or an append that failed is tried again. */
const RETRY_MS = 200;

interface Waiter {
  readonly target: Offset;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class ControlTopic {
  readonly view = new ControlView();
  readonly #partition: TopicPartition;
  readonly #signal = new Signal();
  readonly #outgoing = new Signal();
  readonly #outbox: ((out: RecordWriter) => void)[] = [];
  readonly #scratch = new RecordWriter();
  #waiters: Waiter[] = [];
  #position: Offset;
  #told = false;
  #closed = false;
  /** Why it is followed no more. */
  #failure: Error | undefined;
  #loops: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly parts: ControlTopicParts,
    start: Offset,
    private readonly appender: LogAppender,
  ) {
    this.#partition = { topic: parts.topic, partition: 0 };
    this.#position = start;
  }

  /**
   * Reads what is decided: a dead coordinator's transaction may be open, and only its successor, who needs this view, can end it.
   * @throws WeirError as the log throws them; `invalid` CONTROL_RECORD_UNREADABLE
   */
  static async open(parts: ControlTopicParts): Promise<ControlTopic> {
    const [ends] = await parts.log.endPositions([{ topic: parts.topic, partition: 0 }]);
    const opened = new ControlTopic(parts, ends!.start, await parts.log.openAppender());
    opened.#loops = Promise.all([opened.#follow(), opened.#send()]);
    try {
      await opened.reached(ends!.lastStable);
    } catch (thrown) {
      await opened.close();
      throw thrown;
    }
    opened.#told = true;
    return opened;
  }

  /** T2. @throws WeirError `retry` if the log cannot be reached; `restart-task` CONTROL_CLOSED once this is closed */
  async readToEnd(): Promise<void> {
    const [ends] = await this.parts.log.endPositions([this.#partition]);
    await this.reached(ends!.highWatermark);
  }

  /** Resolves once everything below `target` has been read. @throws WeirError `restart-task` CONTROL_CLOSED once this is closed */
  reached(target: Offset): Promise<void> {
    if (this.#closed) return Promise.reject(errors.controlClosed({ topic: this.parts.topic }));
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#position >= target) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ target, resolve, reject }));
  }

  /** Appends a report, some time soon (T3). */
  report(report: TaskReport): void {
    this.#post((out) => writeReport(out, report));
  }

  /** Appends a command, some time soon (T3). */
  command(command: CommandRecord): void {
    this.#post((out) => writeCommand(out, command));
  }

  #post(write: (out: RecordWriter) => void): void {
    this.#outbox.push(write);
    this.#outgoing.raise();
  }

  /** Sends what was reported, unless the log refuses it, and ends. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#signal.raise();
    this.#outgoing.raise();
    for (const { reject } of this.#waiters.splice(0)) reject(errors.controlClosed({ topic: this.parts.topic }));
    await this.#loops;
    await this.appender.close();
  }

  // ---- reading ----

  async #follow(): Promise<void> {
    while (!this.#closed) {
      const reader = this.parts.log.openReader({ wake: this.#signal.raise, bufferBytes: BUFFER_BYTES });
      try {
        reader.assign(this.#partition, this.#position);
        await this.#read(reader);
      } catch (thrown) {
        if (!isPassing(thrown)) {
          this.#fail(thrown);
          return;
        }
        await this.#pause(); // T4
      } finally {
        await reader.close();
      }
    }
  }

  async #read(reader: LogReader): Promise<void> {
    while (!this.#closed) {
      const chunk = reader.take();
      if (chunk === undefined) await this.#signal.wait();
      else this.#take(chunk);
    }
  }

  #take({ records, nextOffset }: LogChunk): void {
    const where = partitionName(this.#partition.topic, this.#partition.partition);
    for (let row = 0; row < records.count; row++) {
      const record = decodeControlRecord(records.key(row), records.value(row), where);
      if (record !== undefined && this.view.take(record) && this.#told) this.parts.onChange(record); // T1
    }
    this.#position = nextOffset;
    const reached = this.#waiters.filter(({ target }) => target <= nextOffset);
    this.#waiters = this.#waiters.filter(({ target }) => target > nextOffset);
    for (const { resolve } of reached) resolve();
  }

  // ---- reporting ----

  async #send(): Promise<void> {
    while (!this.#closed || this.#outbox.length > 0) {
      const sent = this.#outbox.slice();
      if (sent.length === 0) {
        await this.#outgoing.wait();
        continue;
      }
      try {
        await this.#append(sent);
        this.#outbox.splice(0, sent.length);
      } catch (thrown) {
        if (this.#closed) return; // what is not there now is said by whoever runs the tasks next
        if (!isPassing(thrown)) {
          this.#fail(thrown);
          return;
        }
        await this.#pause(); // T3
      }
    }
  }

  async #append(records: readonly ((out: RecordWriter) => void)[]): Promise<void> {
    this.#scratch.clear();
    for (const write of records) write(this.#scratch);
    await this.appender.append([{ ...this.#partition, records: this.#scratch.columns }]);
  }

  #pause(): Promise<void> {
    return this.#closed ? Promise.resolve() : sleep(this.parts.clock, RETRY_MS);
  }

  #fail(thrown: unknown): void {
    if (this.#closed) return;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    this.#failure = error;
    for (const { reject } of this.#waiters.splice(0)) reject(error);
    this.parts.onFailure(error);
  }
}

/** Data and settings do not mend themselves; whatever else goes wrong may. */
const isPassing = (thrown: unknown): boolean => !isWeirError(thrown) || !['data', 'invalid', 'internal'].includes(thrown.kind);
