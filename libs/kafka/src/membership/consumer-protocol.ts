import { isWeirError, type MemberShare, type TopicPartition } from '@weir/core';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import type { Api } from '../wire/wire.js';

/**
 * What members of a group say to each other, in the framing of Kafka's own consumers (ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment, version 0), with ours as user data. So the broker knows what topics the group reads, and keeps their
 * offsets; and Kafka's tools show members with their partitions and lag, instead of bytes.
 *
 * The protocol type is that of consumers; the name keeps others out: a member that does not offer `weir` is refused by the broker.
 */
export const PROTOCOL_TYPE = 'consumer';
export const PROTOCOL_NAME = 'weir';

const FRAMING: Api = { name: 'ConsumerProtocol', key: -1, version: 0, flexible: false };

export function encodeSubscription(topics: readonly string[], data: Buffer): Buffer {
  const out = new ProtocolWriter(FRAMING.flexible);
  out.int16(FRAMING.version).array(topics, (topic) => out.string(topic));
  return Buffer.concat(out.bytes(data).finish());
}

export function encodeAssignment({ partitions, data }: MemberShare): Buffer {
  const out = new ProtocolWriter(FRAMING.flexible);
  out.int16(FRAMING.version).array([...byTopic(partitions)], ([topic, numbers]) => {
    out.string(topic).array(numbers, (partition) => out.int32(partition));
  });
  return Buffer.concat(out.bytes(data).finish());
}

/** The user data of a subscription; empty if it cannot be understood: what to make of such a member is the leader's to say. */
export function subscriptionData(bytes: Buffer): Buffer {
  return userData(bytes, (from) => from.string());
}

/** The user data of an assignment; empty for a member that was given none. */
export function assignmentData(bytes: Buffer): Buffer {
  return userData(bytes, (from) => {
    from.string();
    from.array(() => from.int32());
  });
}

/** Both begin with a version (later ones only add fields at the end), then an array, then the user data. */
function userData(bytes: Buffer, skipElement: (from: ProtocolReader) => void): Buffer {
  const from = new ProtocolReader(FRAMING, bytes);
  try {
    from.int16();
    from.array(() => skipElement(from));
    return from.bytes();
  } catch (thrown) {
    if (!isWeirError(thrown, 'data')) throw thrown;
    return Buffer.alloc(0);
  }
}

function byTopic(partitions: readonly TopicPartition[]): ReadonlyMap<string, readonly number[]> {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const numbers = topics.get(topic);
    if (numbers === undefined) topics.set(topic, [partition]);
    else numbers.push(partition);
  }
  return topics;
}
