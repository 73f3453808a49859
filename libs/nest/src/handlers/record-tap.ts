import type { LogChunk, LogFactory, Log, LogReader, RecordColumns } from '@weir/core';
import { nestErrors } from '../errors.js';

/**
 * RecordTap: which record a handler is called with. Operators see values alone; a handler is also told topic, partition, offset, key and
 * headers, as consumers are used to. The tap stands between a job and its log and notes each chunk that a task takes; a RowCursor counts
 * the calls that follow, and finds the record by its place in the chunk. So a record costs neither an object nor a copy.
 *
 * It stands on two promises of core's task (libs/core/src/task/task.ts):
 * - a chunk is processed whole before anything else is taken, by this task or another one of the process
 * - what stands right behind a source, and the functions behind its keyBy, are called once per record, in the order of the chunk
 * Both are checked as far as can be, at every call: a cursor never runs past the chunk, the topic is the handler's, and behind a keyBy the
 * time of the record is the one that the task says.
 */
export class RecordTap {
  #chunk = 0;
  #topic = '';
  #partition = -1;
  #columns: RecordColumns | undefined;

  /** Number of the chunk at hand: another one for each that was taken. */
  get chunk(): number {
    return this.#chunk;
  }

  get topic(): string {
    return this.#topic;
  }

  get partition(): number {
    return this.#partition;
  }

  /** Records of the chunk at hand. */
  get columns(): RecordColumns {
    if (this.#columns === undefined) throw nestErrors.recordLost({ topic: '', problem: 'before a chunk was taken' });
    return this.#columns;
  }

  /** The log, with this tap in the way of what its readers hand out. */
  around(log: LogFactory): LogFactory {
    return { open: async (context) => this.#aroundLog(await log.open(context)) };
  }

  #aroundLog(log: Log): Log {
    return withMethods(log, { openReader: (options) => this.#aroundReader(log.openReader(options)) });
  }

  #aroundReader(reader: LogReader): LogReader {
    return withMethods(reader, {
      take: () => {
        const chunk = reader.take();
        if (chunk !== undefined) this.#note(chunk);
        return chunk;
      },
    });
  }

  #note({ topic, partition, records }: LogChunk): void {
    this.#chunk++;
    this.#topic = topic;
    this.#partition = partition;
    this.#columns = records;
  }
}

/** Counts the calls for a chunk: each is for the next of its rows. One for each function that is called. */
export class RowCursor {
  #chunk = 0;
  #row = 0;

  constructor(
    private readonly tap: RecordTap,
    private readonly topic: string,
  ) {}

  /** @throws WeirError `internal` NEST_RECORD_LOST */
  next(): number {
    const { tap, topic } = this;
    this.#row = tap.chunk === this.#chunk ? this.#row + 1 : 0;
    this.#chunk = tap.chunk;
    if (tap.topic !== topic) throw nestErrors.recordLost({ topic, problem: `while a chunk of ${tap.topic} was at hand` });
    const { count } = tap.columns;
    if (this.#row >= count) throw nestErrors.recordLost({ topic, problem: `${this.#row + 1} times for a chunk of ${count} records` });
    return this.#row;
  }
}

/** `target` with some of its methods replaced; all others, also ones that come to it later, stay its own. */
function withMethods<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get: (_, name) => {
      if (Object.hasOwn(methods, name)) return methods[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
