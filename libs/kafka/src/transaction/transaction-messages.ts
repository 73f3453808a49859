import type { GroupMembership, PartitionOffset, TopicPartition } from '@weir/core';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS, type Api } from '../wire/wire.js';

/** Bodies of the calls that make up a transaction, and of Produce. Where the versions of transactions differ, the call is given. */

/** A producer as the log knows it. A higher epoch of the same id fences the lower ones. */
export interface ProducerIdentity {
  readonly producerId: number;
  readonly producerEpoch: number;
}

/** Asks for an identity although there is none yet. */
export const NO_PRODUCER: ProducerIdentity = { producerId: -1, producerEpoch: -1 };

/** Error of one partition within an answer. */
export interface PartitionError extends TopicPartition {
  readonly error: number;
}

/** @param transactionalId null for a producer without transactions */
export function encodeInitProducerId(transactionalId: string | null, timeoutMs: number, current: ProducerIdentity): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.initProducerId.flexible);
  return out.string(transactionalId).int32(timeoutMs).int64(current.producerId).int16(current.producerEpoch).tags().finish();
}

export function decodeInitProducerId(answer: Buffer): ProducerIdentity & { readonly error: number } {
  const from = new ProtocolReader(APIS.initProducerId, answer);
  from.int32(); // throttle time
  return { error: from.int16(), producerId: from.int64(), producerEpoch: from.int16() };
}

export function encodeAddPartitions(
  transactionalId: string,
  producer: ProducerIdentity,
  partitions: readonly TopicPartition[],
): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.addPartitionsToTxn.flexible);
  out.string(transactionalId).int64(producer.producerId).int16(producer.producerEpoch);
  return out
    .array([...byTopic(partitions)], ([topic, group]) => out.string(topic).array(group, ({ partition }) => out.int32(partition)))
    .finish();
}

export function decodeAddPartitions(answer: Buffer): readonly PartitionError[] {
  const from = new ProtocolReader(APIS.addPartitionsToTxn, answer);
  from.int32(); // throttle time
  return readPartitionErrors(from);
}

export function encodeAddOffsets(transactionalId: string, producer: ProducerIdentity, groupId: string): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.addOffsetsToTxn.flexible);
  return out.string(transactionalId).int64(producer.producerId).int16(producer.producerEpoch).string(groupId).finish();
}

/** AddOffsetsToTxn, as some calls to groups, answers with an error code alone. */
export function decodeErrorAlone(api: Api, answer: Buffer): number {
  const from = new ProtocolReader(api, answer);
  from.int32(); // throttle time
  return from.int16();
}

export function encodeEndTxn(api: Api, transactionalId: string, producer: ProducerIdentity, commit: boolean): readonly Buffer[] {
  const out = new ProtocolWriter(api.flexible);
  return out.string(transactionalId).int64(producer.producerId).int16(producer.producerEpoch).boolean(commit).tags().finish();
}

/** The first version of EndTxn that says which identity comes next. */
const END_TXN_WITH_IDENTITY = 5;

/** `next` is what to write under from now on; undefined if it stays as it is. */
export function decodeEndTxn(api: Api, answer: Buffer): { readonly error: number; readonly next: ProducerIdentity | undefined } {
  const from = new ProtocolReader(api, answer);
  from.int32(); // throttle time
  const error = from.int16();
  if (api.version < END_TXN_WITH_IDENTITY) return { error, next: undefined };
  return { error, next: { producerId: from.int64(), producerEpoch: from.int16() } };
}

export function encodeTxnOffsetCommit(
  api: Api,
  transactionalId: string,
  producer: ProducerIdentity,
  group: GroupMembership,
  offsets: readonly PartitionOffset[],
): readonly Buffer[] {
  const out = new ProtocolWriter(api.flexible);
  out.string(transactionalId).string(group.groupId).int64(producer.producerId).int16(producer.producerEpoch);
  out.int32(group.generation).string(group.memberId).string(null); // no static instance id
  out.array([...byTopic(offsets)], ([topic, partitions]) => {
    out
      .string(topic)
      .array(partitions, ({ partition, offset }) => {
        out.int32(partition).int64(offset).int32(UNKNOWN_LEADER_EPOCH).string('').tags();
      })
      .tags();
  });
  return out.tags().finish();
}

const UNKNOWN_LEADER_EPOCH = -1;

export function decodeTxnOffsetCommit(api: Api, answer: Buffer): readonly PartitionError[] {
  const from = new ProtocolReader(api, answer);
  from.int32(); // throttle time
  return readPartitionErrors(from);
}

function readPartitionErrors(from: ProtocolReader): readonly PartitionError[] {
  return from
    .array(() => {
      const topic = from.string();
      const partitions = from.array(() => {
        const result = { topic, partition: from.int32(), error: from.int16() };
        from.tags();
        return result;
      });
      from.tags();
      return partitions;
    })
    .flat();
}

export interface ProducedBatch extends TopicPartition {
  readonly bytes: Buffer;
}

const ALL_IN_SYNC = -1;

/** @param batches at most one of a partition */
export function encodeProduce(api: Api, transactionalId: string | null, timeoutMs: number, batches: readonly ProducedBatch[]): readonly Buffer[] {
  const out = new ProtocolWriter(api.flexible);
  out.string(transactionalId).int16(ALL_IN_SYNC).int32(timeoutMs);
  return out
    .array([...byTopic(batches)], ([topic, group]) => {
      out.string(topic).array(group, ({ partition, bytes }) => out.int32(partition).bytes(bytes).tags()).tags();
    })
    .tags()
    .finish();
}

export interface ProduceResult extends PartitionError {
  readonly baseOffset: number;
  readonly detail: string;
}

export function decodeProduce(api: Api, answer: Buffer): readonly ProduceResult[] {
  const from = new ProtocolReader(api, answer);
  return from
    .array(() => {
      const topic = from.string();
      const results = from.array(() => {
        const partition = from.int32();
        const error = from.int16();
        const baseOffset = from.int64();
        from.int64(); // append time
        from.int64(); // log start
        const rows = from.array(() => {
          const row = { row: from.int32(), problem: from.nullableString() };
          from.tags();
          return row;
        });
        const message = from.nullableString();
        from.tags();
        const detail = [message, ...rows.slice(0, 3).map(({ row, problem }) => `record ${row}: ${problem ?? ''}`)];
        return { topic, partition, error, baseOffset, detail: detail.filter((text) => text !== null).join('; ') };
      });
      from.tags();
      return results;
    })
    .flat();
}

function byTopic<P extends TopicPartition>(partitions: readonly P[]): ReadonlyMap<string, readonly P[]> {
  const groups = new Map<string, P[]>();
  for (const partition of partitions) {
    const group = groups.get(partition.topic);
    if (group === undefined) groups.set(partition.topic, [partition]);
    else group.push(partition);
  }
  return groups;
}
