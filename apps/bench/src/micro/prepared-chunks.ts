import { type RecordColumns, RecordWriter } from '@weir/core';
import { Fleet } from '../input/fleet.js';
import { addReading } from '../input/input-topic.js';

/** As many rows as a reader on Kafka hands out at once. */
const CHUNK_ROWS = 4_096;

/** Readings of one partition, as columns in chunks, each with its own bytes. */
export function preparedChunks(sensors: number, records: number): RecordColumns[] {
  const fleet = new Fleet({ sensors, records, partitions: 1, seed: 1 });
  const chunks: RecordColumns[] = [];
  let rows = new RecordWriter(CHUNK_ROWS * 48);
  while (fleet.next()) {
    addReading(fleet, rows);
    if (rows.count < CHUNK_ROWS) continue;
    chunks.push(rows.columns);
    rows = new RecordWriter(CHUNK_ROWS * 48);
  }
  if (rows.count > 0) chunks.push(rows.columns);
  return chunks;
}
