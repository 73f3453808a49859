import { errors } from '../errors/errors.js';
import { type Offset, offset } from '../model/brands.js';
import { type DeadLetter, readDeadLetter, readReplayMark, writeReplayMark } from '../model/dead-letter.js';
import { decodeHeaders, encodeHeaders, type RecordHeader } from '../model/headers.js';
import { RecordWriter } from '../model/record-columns.js';
import { Signal } from '../model/signal.js';
import { partitionName, type TopicPartition } from '../model/topic-partition.js';
import { type Clock, sleep } from '../ports/clock.js';
import type { Append, Log, LogChunk, LogWriter, PartitionEnds } from '../ports/log.js';

/**
 * Puts the dead letters of a topic back where they came from: same topic and partition, key, value, timestamp and headers, without those
 * that the dead letter added. Each goes back exactly once, also if the replay dies on the way and is run again, and when it is run again
 * later: only what has come since is put back then.
 *
 *   1. claim the transactional id of the replay of this topic: ends what a dead run left open, and fences a run that is still going
 *   2. wait until everything that was in the topic then is decided, the last run's marks among it; a transaction of a job that hangs there is an
 *      error with a name, and no reading without an end
 *   3. read the topic for its marks: how far each partition is done with
 *   4. read it from there to where it ended in step 2; each chunk is one transaction: its records, to their origins, and a mark behind them
 *
 * Invariants
 *   D1. A record and the mark that covers it are in one transaction, so what no mark covers was not put back.
 *   D2. Marks lie in the partition that they are about, behind what they cover: what removes a mark by age has removed that before.
 *   D3. Where it ends is fixed at the start: a record that becomes a dead letter again waits for the next run.
 */
export interface DeadLetterReplay {
  /** Dead letters that were put back. */
  readonly replayed: number;
  /** Records of the topic that are no dead letters: left alone. */
  readonly others: number;
}

const TRANSACTION_TIMEOUT_MS = 60_000;
const BUFFER_BYTES = 4 * 1024 * 1024;
const POLL_MS = 50;

export const replayId = (topic: string): string => `weir-replay-${topic}`;

/**
 * @throws WeirError `invalid` DEAD_LETTERS_MISSING, DEAD_LETTER_HOMELESS; `retry` DEAD_LETTERS_UNDECIDED; `fenced` if another run began
 *   meanwhile; what the log throws. What was put back before stays, and is not put back again.
 */
export async function replayDeadLetters(log: Log, clock: Clock, topic: string): Promise<DeadLetterReplay> {
  const found = await log.describeTopic(topic);
  if (found === undefined) throw errors.deadLettersMissing({ topic });
  const partitions = Array.from({ length: found.partitions }, (_, partition): TopicPartition => ({ topic, partition }));
  // 1.
  const writer = await log.openWriter({ transactionalId: replayId(topic), transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
  try {
    // 2.
    const ends = await decidedEnds(log, clock, partitions);
    // 3.
    const done = new Map<number, number>();
    await readAll(log, ends, (end) => end.start, ({ partition, records }) => {
      for (let row = 0; row < records.count; row++) {
        const mark = readReplayMark(headersAt(records, row));
        if (mark !== undefined) done.set(partition, mark);
      }
    });
    // 4.
    const replay = new Replay(log, writer);
    await readAll(log, ends, ({ partition, start }) => offset(Math.max(start, done.get(partition) ?? 0)), (chunk, end) => replay.putBack(chunk, end));
    return { replayed: replay.replayed, others: replay.others };
  } finally {
    await writer.close();
  }
}

/** Where the partitions ended at the call, once all below that is decided. */
async function decidedEnds(log: Log, clock: Clock, partitions: readonly TopicPartition[]): Promise<readonly PartitionEnds[]> {
  const targets = await log.endPositions(partitions);
  for (let waitedMs = 0; ; waitedMs += POLL_MS) {
    const now = await log.endPositions(partitions);
    if (now.every(({ lastStable }, i) => lastStable >= targets[i]!.highWatermark)) {
      return now.map((ends, i) => ({ ...ends, highWatermark: targets[i]!.highWatermark }));
    }
    if (waitedMs >= TRANSACTION_TIMEOUT_MS * 2) throw errors.deadLettersUndecided({ topic: partitions[0]!.topic, waitedMs });
    await sleep(clock, POLL_MS);
  }
}

/** Reads each partition up to its high watermark. */
async function readAll(
  log: Log,
  ends: readonly PartitionEnds[],
  from: (end: PartitionEnds) => Offset,
  onChunk: (chunk: LogChunk, end: Offset) => Promise<void> | void,
): Promise<void> {
  const signal = new Signal();
  const reader = log.openReader({ wake: signal.raise, bufferBytes: BUFFER_BYTES });
  try {
    const left = new Map<number, Offset>();
    for (const end of ends) {
      if (from(end) >= end.highWatermark) continue;
      reader.assign(end, from(end));
      left.set(end.partition, end.highWatermark);
    }
    while (left.size > 0) {
      const chunk = reader.take();
      if (chunk === undefined) {
        await signal.wait();
        continue;
      }
      const end = left.get(chunk.partition);
      if (end === undefined) continue;
      await onChunk(chunk, end);
      if (chunk.nextOffset < end) continue;
      left.delete(chunk.partition);
      reader.unassign(chunk);
    }
  } finally {
    await reader.close();
  }
}

/** Puts chunks back, a transaction each. */
class Replay {
  replayed = 0;
  others = 0;
  /** Partition counts of origins. */
  readonly #origins = new Map<string, number>();

  constructor(
    private readonly log: Log,
    private readonly writer: LogWriter,
  ) {}

  /** @param end where the replay ends: rows at or behind it are left alone */
  async putBack(chunk: LogChunk, end: Offset): Promise<void> {
    const writers = new Map<string, { readonly to: TopicPartition; readonly records: RecordWriter }>();
    let [replayed, others] = [0, 0];
    const { records, partition, topic } = chunk;
    for (let row = 0; row < records.count && records.offset[row]! < end; row++) {
      const headers = headersAt(records, row);
      if (readReplayMark(headers) !== undefined) continue;
      const found = readDeadLetter(headers);
      if (found === undefined) {
        others++;
        continue;
      }
      const to = await this.#originOf(found.letter, chunk, records.offset[row]!);
      const name = partitionName(to.topic, to.partition);
      let target = writers.get(name);
      if (target === undefined) writers.set(name, (target = { to, records: new RecordWriter() }));
      copyRow(records, row, found.own, target.records);
      replayed++;
    }
    this.others += others;
    if (replayed === 0) return;
    const mark = new RecordWriter();
    mark.begin(records.timestamp[records.count - 1]!);
    writeReplayMark(Math.min(chunk.nextOffset, end), mark.bytes);
    mark.headersDone();
    mark.end();
    const appends = [...writers.values()].map(({ to, records: { columns } }): Append => ({ topic: to.topic, partition: to.partition, records: columns }));
    const transaction = this.writer.begin();
    try {
      await transaction.append([...appends, { topic, partition, records: mark.columns }]); // D1
    } catch (thrown) {
      await transaction.abort().catch(() => undefined); // the error that made it necessary is the one to tell
      throw thrown;
    }
    await transaction.commit();
    this.replayed += replayed;
  }

  async #originOf({ topic, partition }: DeadLetter, chunk: LogChunk, at: number): Promise<TopicPartition> {
    let partitions = this.#origins.get(topic);
    if (partitions === undefined) {
      partitions = (await this.log.describeTopic(topic))?.partitions ?? 0;
      this.#origins.set(topic, partitions);
    }
    if (partition < partitions) return { topic, partition };
    throw errors.deadLetterHomeless({ topic: chunk.topic, partition: chunk.partition, offset: at, origin: topic, originPartition: partition, partitions });
  }
}

const headersAt = ({ buffer, headersStart, headersEnd }: LogChunk['records'], row: number): RecordHeader[] => decodeHeaders(buffer, headersStart[row]!, headersEnd[row]!);

function copyRow(records: LogChunk['records'], row: number, headers: readonly RecordHeader[], to: RecordWriter): void {
  const [key, value] = [records.key(row), records.value(row)];
  to.begin(records.timestamp[row]!);
  if (key !== null) {
    to.bytes.writeBytes(key);
    to.keyDone();
  }
  if (value !== null) {
    to.bytes.writeBytes(value);
    to.valueDone();
  }
  if (headers.length > 0) {
    encodeHeaders(headers, to.bytes);
    to.headersDone();
  }
  to.end();
}
