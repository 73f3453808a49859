import type { PartitionOffset, TopicPartition } from '@weir/core';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

/** Bodies of DeleteRecords v2. */

export function encodeDeleteRecords(partitions: readonly PartitionOffset[], timeoutMs: number): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.deleteRecords.flexible);
  out.array(partitions, ({ topic, partition, offset }) => out.string(topic).count(1).int32(partition).int64(offset).tags().tags());
  return out.int32(timeoutMs).tags().finish();
}

export interface Deletion extends TopicPartition {
  readonly error: number;
}

export function decodeDeleteRecords(answer: Buffer): readonly Deletion[] {
  const from = new ProtocolReader(APIS.deleteRecords, answer);
  from.int32(); // throttle time
  return from.array(() => {
    const topic = from.string();
    const deletions = from.array(() => {
      const partition = from.int32();
      from.int64(); // where the partition begins on the replica that is furthest behind
      const deletion = { topic, partition, error: from.int16() };
      from.tags();
      return deletion;
    });
    from.tags();
    return deletions;
  }).flat();
}
