import type { Log, TopicPartition } from '@weir/core';
import { AlertDigest } from './alert-digest.js';
import { places } from './input-topic.js';

const BUFFER_BYTES = 4 * 1024 * 1024;

/** What a reader of committed records finds in an output topic, from its begin to its end as it is now. */
export async function readAlerts(log: Log, topic: string, partitions: number): Promise<AlertDigest> {
  const ends = await log.endPositions(places(topic, partitions));
  const digest = new AlertDigest();
  let wake = (): void => undefined;
  const reader = log.openReader({ wake: () => wake(), bufferBytes: BUFFER_BYTES });
  const left = new Map<number, number>();
  for (const { partition, start, lastStable } of ends) {
    if (lastStable <= start) continue;
    left.set(partition, lastStable);
    reader.assign({ topic, partition } satisfies TopicPartition, start);
  }
  try {
    while (left.size > 0) {
      const chunk = reader.take();
      if (chunk === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      for (let row = 0; row < chunk.records.count; row++) digest.addJson(chunk.records.value(row)!.toString('utf8'));
      if (chunk.nextOffset >= left.get(chunk.partition)!) left.delete(chunk.partition);
    }
  } finally {
    await reader.close();
  }
  return digest;
}
