import type { Offset } from './brands.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A partition and the offset of the next record to read from it. */
export interface PartitionOffset extends TopicPartition {
  readonly offset: Offset;
}

/** The one spelling of a partition in messages, ids and map keys: `sensor-readings-3`, as Kafka's own logs have it. */
export const partitionName = (topic: string, partition: number): string => `${topic}-${partition}`;
