import { crc32 } from './crc32.js';
import { murmur2 } from './murmur2.js';

/**
 * Where a producer puts a key. A function of the encoded key (bytes [start, end) of `data`) and the number of partitions.
 */
export type PartitionFunction = (data: Uint8Array, start: number, end: number, partitions: number) => number;

/**
 * The producers' usual choices: `murmur2` is the Java client's (and kafkajs'), `crc32` librdkafka's default (C, Python, Go, .NET).
 */
export const PARTITIONERS = {
  murmur2: (data, start, end, partitions) => (murmur2(data, start, end) & 0x7fffffff) % partitions,
  crc32: (data, start, end, partitions) => crc32(data, start, end) % partitions,
} as const satisfies Record<string, PartitionFunction>;

export type PartitionerName = keyof typeof PARTITIONERS;
export const PARTITIONER_NAMES = Object.keys(PARTITIONERS) as readonly PartitionerName[];
