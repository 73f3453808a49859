import { CODE } from './error-codes.js';
import { ProtocolReader } from './protocol-reader.js';
import { ProtocolWriter } from './protocol-writer.js';
import { APIS, type NodeAddress } from './wire.js';

/** Bodies of Metadata v12 and FindCoordinator v2. */

export interface PartitionMetadata {
  readonly partition: number;
  readonly error: number;
  /** Node id of the leader; -1 if there is none now. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

export interface TopicMetadata {
  readonly topic: string;
  readonly error: number;
  /** 32 hexadecimal digits. */
  readonly topicId: string;
  readonly partitions: readonly PartitionMetadata[];
}

export interface ClusterMetadata {
  readonly nodes: readonly NodeAddress[];
  readonly topics: readonly TopicMetadata[];
}

const NO_TOPIC_ID = Buffer.alloc(16);

/** Asks for topics by name; none gives the brokers alone. Never creates a topic. */
export function encodeMetadata(topics: readonly string[]): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.metadata.flexible);
  out.array(topics, (topic) => out.uuid(NO_TOPIC_ID).string(topic).tags());
  return out.boolean(false).boolean(false).tags().finish();
}

export function decodeMetadata(answer: Buffer): ClusterMetadata {
  const from = new ProtocolReader(APIS.metadata, answer);
  from.int32(); // throttle time
  const nodes = from.array(() => {
    const address = { node: from.int32(), host: from.string(), port: from.int32() };
    from.nullableString(); // rack
    from.tags();
    return address;
  });
  from.nullableString(); // cluster id
  from.int32(); // controller
  const topics = from.array(() => readTopic(from));
  return { nodes, topics };
}

function readTopic(from: ProtocolReader): TopicMetadata {
  const error = from.int16();
  const topic = from.nullableString() ?? '';
  const topicId = from.uuid();
  from.boolean(); // internal
  const partitions = from.array(() => {
    const metadata = { error: from.int16(), partition: from.int32(), leader: from.int32(), leaderEpoch: from.int32() };
    for (let list = 0; list < 3; list++) from.array(() => from.int32()); // replicas, in sync, offline
    from.tags();
    return metadata;
  });
  from.int32(); // authorized operations
  from.tags();
  return { topic, error, topicId, partitions };
}

export type CoordinatorKind = 'group' | 'transaction';

export function encodeFindCoordinator(kind: CoordinatorKind, key: string): readonly Buffer[] {
  return new ProtocolWriter(APIS.findCoordinator.flexible)
    .string(key)
    .int8(kind === 'group' ? 0 : 1)
    .finish();
}

export interface Coordinator {
  readonly error: number;
  readonly detail: string;
  readonly address: NodeAddress | undefined;
}

export function decodeFindCoordinator(answer: Buffer): Coordinator {
  const from = new ProtocolReader(APIS.findCoordinator, answer);
  from.int32(); // throttle time
  const error = from.int16();
  const detail = from.nullableString() ?? '';
  const address = { node: from.int32(), host: from.string(), port: from.int32() };
  return { error, detail, address: error === CODE.NONE ? address : undefined };
}
