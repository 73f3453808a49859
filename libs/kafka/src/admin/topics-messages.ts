import type { TopicSpec } from '@weir/core';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

/** Bodies of CreateTopics v4, DeleteTopics v3 and DescribeConfigs v2. */

/** Lets the broker decide, by its default.replication.factor. */
const DEFAULT_REPLICATION = -1;

export function encodeCreateTopics(topics: readonly TopicSpec[], timeoutMs: number): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.createTopics.flexible);
  out.array(topics, ({ topic, partitions, config, replicationFactor = DEFAULT_REPLICATION }) => {
    out.string(topic).int32(partitions).int16(replicationFactor).count(0); // no assignment of replicas by hand
    out.array(Object.entries(config), ([name, value]) => out.string(name).string(value));
  });
  return out.int32(timeoutMs).boolean(false).finish();
}

export interface CreatedTopic {
  readonly topic: string;
  readonly error: number;
  readonly detail: string;
}

export function decodeCreateTopics(answer: Buffer): readonly CreatedTopic[] {
  const from = new ProtocolReader(APIS.createTopics, answer);
  from.int32(); // throttle time
  return from.array(() => ({ topic: from.string(), error: from.int16(), detail: from.nullableString() ?? '' }));
}

export function encodeDeleteTopics(topics: readonly string[], timeoutMs: number): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.deleteTopics.flexible);
  out.array(topics, (topic) => out.string(topic));
  return out.int32(timeoutMs).finish();
}

export function decodeDeleteTopics(answer: Buffer): readonly { readonly topic: string; readonly error: number }[] {
  const from = new ProtocolReader(APIS.deleteTopics, answer);
  from.int32(); // throttle time
  return from.array(() => ({ topic: from.string(), error: from.int16() }));
}

const TOPIC_RESOURCE = 2;

export function encodeDescribeTopicConfig(topic: string, names: readonly string[]): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.describeConfigs.flexible);
  out
    .count(1)
    .int8(TOPIC_RESOURCE)
    .string(topic)
    .array(names, (name) => out.string(name));
  return out.boolean(false).finish(); // without synonyms
}

export interface DescribedConfig {
  readonly error: number;
  readonly detail: string;
  readonly values: ReadonlyMap<string, string | null>;
}

export function decodeDescribeTopicConfig(answer: Buffer): DescribedConfig {
  const from = new ProtocolReader(APIS.describeConfigs, answer);
  from.int32(); // throttle time
  const [described] = from.array(() => {
    const error = from.int16();
    const detail = from.nullableString() ?? '';
    from.int8(); // resource type
    from.string();
    const values = from.array(() => {
      const entry = [from.string(), from.nullableString()] as const;
      from.boolean(); // read only
      from.int8(); // source
      from.boolean(); // sensitive
      from.array(() => [from.string(), from.nullableString(), from.int8()]); // synonyms
      return entry;
    });
    return { error, detail, values: new Map(values) };
  });
  if (described === undefined) throw from.damaged('no topic');
  return described;
}
