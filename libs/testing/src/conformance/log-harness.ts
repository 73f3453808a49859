import { expect } from '@jest/globals';
import {
  isWeirError,
  NO_GENERATION,
  offset,
  partitionName,
  RecordColumns,
  type AppendResult,
  type GroupMembership,
  type Log,
  type LogReader,
  type LogTransaction,
  type LogWriter,
  type Offset,
  type PartitionEnds,
  type WeirError,
} from '@weir/core';
import { columnsOf, recordsOfChunk, type LogRecord, type RecordRow } from '../log-record.js';

/** What an implementation of Log brings to the suite: one cluster, for the whole suite. */
export interface LogHarness {
  /** Another client of the cluster. The suite closes what it opened. */
  open(): Promise<Log>;
  /** A name for a topic, a group or a transactional id that was never used before in this cluster. */
  uniqueName(stem: string): string;
  /** Lets background work go on for a while: a few milliseconds of real time, or of a manual clock. */
  settle(): Promise<void>;
  /** Ends what the harness itself began. */
  close(): Promise<void>;
}

/** How often the suite settles before it gives up waiting: at 5 ms each, 20 seconds. */
const MOST_SETTLES = 4_000;
/** How often it settles before it believes that nothing comes. */
const QUIET_SETTLES = 20;
const TRANSACTION_TIMEOUT_MS = 20_000;
const BUFFER_BYTES = 1 << 20;

/** What a test of the suite works with; ended after each test, with all that it opened. */
export class LogFixture {
  readonly #clients: Log[] = [];

  constructor(readonly harness: LogHarness) {}

  async client(): Promise<Log> {
    const client = await this.harness.open();
    this.#clients.push(client);
    return client;
  }

  async end(): Promise<void> {
    for (const client of this.#clients) await client.close();
  }

  /** A new topic. */
  async topic(log: Log, partitions = 1, config: Readonly<Record<string, string>> = {}): Promise<string> {
    const topic = this.harness.uniqueName('topic');
    await log.ensureTopics([{ topic, partitions, config }]);
    return topic;
  }

  writer(log: Log, transactionalId = this.harness.uniqueName('writer'), transactionTimeoutMs = TRANSACTION_TIMEOUT_MS): Promise<LogWriter> {
    return log.openWriter({ transactionalId, transactionTimeoutMs });
  }

  /** A group without members, as a replica that owns every partition commits with. */
  group(): GroupMembership {
    return { groupId: this.harness.uniqueName('group'), generation: NO_GENERATION, memberId: '' };
  }

  reading(log: Log, bufferBytes = BUFFER_BYTES): Reading {
    return new Reading(this, log, bufferBytes);
  }

  /** Waits until `condition` holds. */
  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    for (let i = 0; i < MOST_SETTLES; i++) {
      if (await condition()) return;
      await this.harness.settle();
    }
    throw new Error(`Waited in vain until ${what}`);
  }

  /** Waits so long that what could come would have come. */
  async quiet(): Promise<void> {
    for (let i = 0; i < QUIET_SETTLES; i++) await this.harness.settle();
  }

  /** Waits until no transaction is open in a partition, and gives its ends. */
  async stable(log: Log, topic: string, partition = 0): Promise<PartitionEnds> {
    let ends = await endsOf(log, topic, partition);
    await this.until(`no transaction is open in ${partitionName(topic, partition)}`, async () => {
      ends = await endsOf(log, topic, partition);
      return ends.lastStable === ends.highWatermark;
    });
    return ends;
  }
}

export async function endsOf(log: Log, topic: string, partition = 0): Promise<PartitionEnds> {
  const [ends] = await log.endPositions([{ topic, partition }]);
  return ends!;
}

/** Rows with these values and no keys. */
export const rows = (...values: string[]): RecordColumns => columnsOf(values.map((value) => ({ value })));

export type Records = RecordColumns | readonly RecordRow[];

/** Appends to partition 0, or another, in an open transaction. */
export async function append(transaction: LogTransaction, topic: string, records: Records, partition = 0): Promise<AppendResult> {
  const columns = records instanceof RecordColumns ? records : columnsOf(records);
  const [result] = await transaction.append([{ topic, partition, records: columns }]);
  return result!;
}

/** One whole transaction. */
export async function commitRows(writer: LogWriter, topic: string, records: Records, partition = 0): Promise<AppendResult> {
  const transaction = writer.begin();
  const result = await append(transaction, topic, records, partition);
  await transaction.commit();
  return result;
}

/** One whole transaction that is dropped. */
export async function abortRows(writer: LogWriter, topic: string, records: Records, partition = 0): Promise<AppendResult> {
  const transaction = writer.begin();
  const result = await append(transaction, topic, records, partition);
  await transaction.abort();
  return result;
}

export const valuesOf = (records: readonly LogRecord[]): (string | null)[] => records.map(({ value }) => value?.toString('utf8') ?? null);

/**
 * A reader, all that came from it, and the checks that hold for every chunk: offsets in order, none below the position, none at or
 * behind `nextOffset`, positions that only grow and never pass the last stable offset (L1, L2).
 */
export class Reading {
  readonly reader: LogReader;
  readonly records: LogRecord[] = [];
  readonly #positions = new Map<string, number>();
  #inside = false;
  wakes = 0;
  /** Whether `wake` was ever called from within a method of the reader. */
  wokenFromInside = false;

  constructor(
    private readonly fixture: LogFixture,
    private readonly log: Log,
    bufferBytes: number,
  ) {
    const wake = (): void => {
      this.wakes++;
      this.wokenFromInside ||= this.#inside;
    };
    this.reader = log.openReader({ wake, bufferBytes });
  }

  assign(topic: string, partition = 0, from: Offset | number = 0): void {
    this.#positions.set(partitionName(topic, partition), from);
    this.#calling(() => this.reader.assign({ topic, partition }, offset(from)));
  }

  position(topic: string, partition = 0): number {
    return this.#positions.get(partitionName(topic, partition)) ?? -1;
  }

  of(topic: string, partition = 0): LogRecord[] {
    return this.records.filter((record) => record.topic === topic && record.partition === partition);
  }

  values(topic: string, partition = 0): (string | null)[] {
    return valuesOf(this.of(topic, partition));
  }

  /** Takes one chunk, if there is one. */
  takeOne(): boolean {
    const chunk = this.#calling(() => this.reader.take());
    if (chunk === undefined) return false;
    const name = partitionName(chunk.topic, chunk.partition);
    let least = this.#positions.get(name) ?? fail(`a chunk came of ${name}, which is not assigned`);
    expect(chunk.nextOffset).toBeGreaterThanOrEqual(least);
    expect(chunk.nextOffset).toBeLessThanOrEqual(chunk.lastStable);
    const records = recordsOfChunk(chunk);
    for (const record of records) {
      const inRange = record.offset >= least && record.offset < chunk.nextOffset;
      if (!inRange) fail(`offset ${record.offset} is not in [${least}, ${chunk.nextOffset}) of ${name}`);
      least = record.offset + 1;
    }
    this.#positions.set(name, chunk.nextOffset);
    this.records.push(...records);
    return true;
  }

  takeAll(): void {
    while (this.takeOne());
  }

  /** Reads on until the position of a partition is `to`. */
  async until(topic: string, partition: number, to: number): Promise<void> {
    await this.fixture.until(`the reader is at ${to} of ${partitionName(topic, partition)}`, () => {
      this.takeAll();
      return this.position(topic, partition) >= to;
    });
    expect(this.position(topic, partition)).toBe(to);
  }

  /** Reads on until there is nothing left in a partition, and no transaction is open there. Returns all that came of it. */
  async toEnd(topic: string, partition = 0): Promise<LogRecord[]> {
    const { highWatermark } = await this.fixture.stable(this.log, topic, partition);
    await this.until(topic, partition, highWatermark);
    return this.of(topic, partition);
  }

  /** Waits, takes what comes, and gives how many records that were. */
  async quiet(): Promise<number> {
    const before = this.records.length;
    await this.fixture.quiet();
    this.takeAll();
    return this.records.length - before;
  }

  /** The error that `take` throws once the background work has failed. */
  async failure(): Promise<unknown> {
    let thrown: unknown;
    await this.fixture.until('take throws', () => {
      try {
        this.takeAll();
        return false;
      } catch (error) {
        thrown = error;
        return true;
      }
    });
    return thrown;
  }

  #calling<T>(call: () => T): T {
    this.#inside = true;
    try {
      return call();
    } finally {
      this.#inside = false;
    }
  }
}

function fail(problem: string): never {
  throw new Error(problem);
}

/** The WeirError that `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<WeirError> {
  return promise.then(
    () => fail('the call should have been refused, and it was not'),
    (thrown: unknown) => {
      if (isWeirError(thrown)) return thrown;
      throw thrown;
    },
  );
}
