import { type Append, type Clock, type Log, offset, type PartitionEnds, RecordWriter } from '@weir/core';
import { degreesText, Fleet, type KeySet, partitionsOf, sensorId } from './fleet.js';

/**
 * The input of a key set, written once into a topic whose name says all that it holds, and found there by later runs. It is one
 * transaction, so a topic is whole or holds nothing; what a run left that was cut is passed over for the next name.
 */
export interface InputTopic {
  readonly topic: string;
  /** Milliseconds that writing took; undefined if it was there. */
  readonly writtenInMs: number | undefined;
}

/** Rows that are handed to the log at once: several batches for each partition. */
const SLICE_ROWS = 200_000;
const TRANSACTION_TIMEOUT_MS = 600_000;
/** Names tried before giving up on a broker that keeps the remains of so many cut runs. */
const MOST_ATTEMPTS = 20;
/** Each partition ends with the marker of the one transaction. */
const MARKER = 1;

/** @param batches how the topic's batches were made: part of its name */
export async function ensureInput(log: Log, clock: Clock, keySet: KeySet, batches: string): Promise<InputTopic> {
  const { sensors, records, partitions, seed } = keySet;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const topic = `weir-bench-readings-${sensors}-${records}-${partitions}-${seed}-${batches}-${attempt}`;
    const found = await log.describeTopic(topic);
    if (found === undefined) {
      const began = clock.monotonic();
      await log.ensureTopics([{ topic, partitions, config: { 'retention.ms': '-1' } }]);
      await write(log, topic, keySet);
      return { topic, writtenInMs: Math.round(clock.monotonic() - began) };
    }
    if (isWhole(keySet, await log.endPositions(places(topic, partitions)))) return { topic, writtenInMs: undefined };
  }
  throw new Error(`The broker holds the remains of ${MOST_ATTEMPTS} runs that were cut while they wrote this input: delete its topics weir-bench-readings-*.`);
}

export const places = (topic: string, partitions: number): { topic: string; partition: number }[] =>
  Array.from({ length: partitions }, (_, partition) => ({ topic, partition }));

function isWhole(keySet: KeySet, ends: readonly PartitionEnds[]): boolean {
  const counts = new Array<number>(keySet.partitions).fill(0);
  const partitionOf = partitionsOf(keySet);
  const fleet = new Fleet(keySet);
  while (fleet.next()) counts[partitionOf[fleet.sensor]!]!++;
  return ends.every(({ start, lastStable }, partition) => {
    const count = counts[partition]!;
    return start === 0 && lastStable === offset(count === 0 ? 0 : count + MARKER);
  });
}

async function write(log: Log, topic: string, keySet: KeySet): Promise<void> {
  const writer = await log.openWriter({ transactionalId: topic, transactionTimeoutMs: TRANSACTION_TIMEOUT_MS });
  try {
    const transaction = writer.begin();
    const partitionOf = partitionsOf(keySet);
    const rows = Array.from({ length: keySet.partitions }, () => new RecordWriter(1 << 20));
    const send = async (): Promise<void> => {
      const appends: Append[] = rows.map(({ columns }, partition) => ({ topic, partition, records: columns }));
      await transaction.append(appends.filter(({ records }) => records.count > 0));
      for (const each of rows) each.clear();
    };
    const fleet = new Fleet(keySet);
    for (let made = 1; fleet.next(); made++) {
      addReading(fleet, rows[partitionOf[fleet.sensor]!]!);
      if (made % SLICE_ROWS === 0) await send();
    }
    await send();
    await transaction.commit();
  } finally {
    await writer.close();
  }
}

/** Adds the reading at which the fleet stands. */
export function addReading({ sensor, timestamp, tenths }: Fleet, rows: RecordWriter): void {
  const id = sensorId(sensor);
  rows.begin(timestamp * 1_000);
  rows.bytes.writeUtf8(id);
  rows.keyDone();
  rows.bytes.writeUtf8(`${id},${timestamp},${degreesText(tenths)}`);
  rows.valueDone();
  rows.end();
}
