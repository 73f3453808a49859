import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';
import type { TopicPartition } from '@weir/core';

/** Bodies of ListOffsets v8 and OffsetForLeaderEpoch v3, for a consumer. */

export interface LedPartition extends TopicPartition {
  readonly leaderEpoch: number;
}

/** Which offset of a partition is asked for. */
export type Which = 'earliest' | 'earliest local' | 'last stable' | 'high watermark';

const CONSUMER = -1;
/** What stands for a place in the log where a timestamp is asked for. Local: not only in tiered storage (KIP-405). */
const TIMESTAMP: Readonly<Record<Which, number>> = { earliest: -2, 'earliest local': -4, 'last stable': -1, 'high watermark': -1 };
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

export function encodeListOffsets(which: Which, partitions: readonly LedPartition[]): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.listOffsets.flexible);
  out.int32(CONSUMER).int8(which === 'last stable' ? READ_COMMITTED : READ_UNCOMMITTED);
  out.array(partitions, ({ topic, partition, leaderEpoch }) => {
    out.string(topic).count(1).int32(partition).int32(leaderEpoch).int64(TIMESTAMP[which]).tags().tags();
  });
  return out.tags().finish();
}

export interface ListedOffset extends TopicPartition {
  readonly error: number;
  readonly offset: number;
  readonly leaderEpoch: number;
}

export function decodeListOffsets(answer: Buffer): readonly ListedOffset[] {
  const from = new ProtocolReader(APIS.listOffsets, answer);
  from.int32(); // throttle time
  return from
    .array(() => {
      const topic = from.string();
      const listed = from.array(() => {
        const partition = from.int32();
        const error = from.int16();
        from.int64(); // timestamp
        const found = { topic, partition, error, offset: from.int64(), leaderEpoch: from.int32() };
        from.tags();
        return found;
      });
      from.tags();
      return listed;
    })
    .flat();
}

export function encodeEpochEnd({ topic, partition, leaderEpoch }: LedPartition, asked: number): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.offsetForLeaderEpoch.flexible);
  return out.int32(CONSUMER).count(1).string(topic).count(1).int32(partition).int32(leaderEpoch).int32(asked).finish();
}

export interface EpochEnd {
  readonly error: number;
  /** The newest epoch at or before the one asked for; -1 if there is none. */
  readonly leaderEpoch: number;
  readonly endOffset: number;
}

export function decodeEpochEnd(answer: Buffer): EpochEnd {
  const from = new ProtocolReader(APIS.offsetForLeaderEpoch, answer);
  from.int32(); // throttle time
  const [end] = from
    .array(() => {
      from.string(); // topic
      return from.array(() => {
        const error = from.int16();
        from.int32(); // partition
        return { error, leaderEpoch: from.int32(), endOffset: from.int64() };
      });
    })
    .flat();
  if (end === undefined) throw from.damaged('no partition');
  return end;
}
