import type { TopicDescription, TopicSpec } from '@weir/core';
import { errors } from '../errors.js';
import type { Attempt, Cluster } from '../wire/cluster.js';
import { CODE, codeName, isPassing, isRefused, isStaleLeader } from '../wire/error-codes.js';
import { ANY_NODE, APIS } from '../wire/wire.js';
import type { TopicMetadata } from '../wire/metadata-messages.js';
import { decodeCreateTopics, decodeDeleteTopics, decodeDescribeTopicConfig, encodeCreateTopics, encodeDeleteTopics, encodeDescribeTopicConfig } from './topics-messages.js';

/** Kafka's default of `delete.retention.ms`, for clusters that do not let this client read it: a day. */
const DEFAULT_DELETE_RETENTION_MS = 86_400_000;
const CREATE_TIMEOUT_MS = 30_000;
const DELETE_TIMEOUT_MS = 30_000;

/** Topics: makes, deletes and describes them. */
export class Topics {
  constructor(
    private readonly cluster: Cluster,
    private readonly withinMs: number,
  ) {}

  /**
   * Creates what is missing, and waits until every partition of it has a leader: what follows would only have to wait instead.
   * @throws WeirError `invalid` if a topic has another number of partitions, or the cluster refuses to create it
   */
  async ensure(specs: readonly TopicSpec[]): Promise<void> {
    if (specs.length === 0) return;
    await this.cluster.retrying('Creation', `topics ${specs.map(({ topic }) => topic).join(', ')}`, this.withinMs, () =>
      this.#ensureOnce(specs),
    );
  }

  async #ensureOnce(specs: readonly TopicSpec[]): Promise<Attempt<true>> {
    const metadata = await this.cluster.metadata(specs.map(({ topic }) => topic));
    const known = new Map(metadata.map((topic) => [topic.topic, topic]));
    const missing: TopicSpec[] = [];
    let waiting: string | undefined;
    for (const spec of specs) {
      const state = judge(spec, known.get(spec.topic));
      if (state === 'missing') missing.push(spec);
      else if (state === 'waiting') waiting = `topic ${spec.topic} is not ready`;
    }
    if (missing.length > 0) {
      await this.#create(missing);
      waiting = `topic ${missing[0]!.topic} was just created`;
    }
    return waiting === undefined ? { done: true } : { again: waiting };
  }

  async #create(specs: readonly TopicSpec[]): Promise<void> {
    const answer = await this.cluster.wire.send(ANY_NODE, 'control', APIS.createTopics, encodeCreateTopics(specs, CREATE_TIMEOUT_MS));
    for (const { topic, error, detail } of decodeCreateTopics(answer)) {
      // Another replica may be faster; the next look at the metadata compares what it made.
      if (error === CODE.NONE || error === CODE.TOPIC_ALREADY_EXISTS || isPassing(error)) continue;
      throw errors.callRefused({ act: 'Creation', object: `topic ${topic}`, answer: codeName(error), detail });
    }
  }

  /** See Log.deleteTopics. A request may be repeated: what is gone is looked for, and passed over. */
  async delete(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    await this.cluster.retrying('Deletion', `topics ${names.join(', ')}`, this.withinMs, () => this.#deleteOnce(names));
  }

  async #deleteOnce(names: readonly string[]): Promise<Attempt<true>> {
    const metadata = await this.cluster.metadata(names);
    const gone = new Set(metadata.filter(({ error }) => error === CODE.UNKNOWN_TOPIC_OR_PARTITION).map(({ topic }) => topic));
    const left = names.filter((name) => !gone.has(name));
    if (left.length === 0) return { done: true };
    const answer = await this.cluster.wire.send(ANY_NODE, 'control', APIS.deleteTopics, encodeDeleteTopics(left, DELETE_TIMEOUT_MS));
    for (const { topic, error } of decodeDeleteTopics(answer)) {
      if (error === CODE.NONE || error === CODE.UNKNOWN_TOPIC_OR_PARTITION || isPassing(error)) continue;
      throw errors.callRefused({ act: 'Deletion', object: `topic ${topic}`, answer: codeName(error), detail: '' });
    }
    return { again: `topic ${left[0]!} was just deleted` };
  }

  /** See Log.describeTopic. */
  async describe(topic: string): Promise<TopicDescription | undefined> {
    const metadata = await this.cluster.retrying<TopicMetadata>('Description', `topic ${topic}`, this.withinMs, async () => {
      const [answer] = await this.cluster.metadata([topic]);
      if (answer === undefined) return { again: 'no topic in the answer' };
      if (answer.error === CODE.NONE || answer.error === CODE.UNKNOWN_TOPIC_OR_PARTITION) return { done: answer };
      if (isStaleLeader(answer.error) || isPassing(answer.error)) return { again: codeName(answer.error) };
      throw errors.callRefused({ act: 'Description', object: `topic ${topic}`, answer: codeName(answer.error), detail: '' });
    });
    if (metadata.error !== CODE.NONE) return undefined;
    const configured = await this.config(topic, 'delete.retention.ms');
    return {
      topic,
      topicId: metadata.topicId,
      partitions: metadata.partitions.length,
      deleteRetentionMs: configured === undefined ? DEFAULT_DELETE_RETENTION_MS : Number(configured),
    };
  }

  /** One setting of a topic; undefined if this client may not read it. */
  config(topic: string, name: string): Promise<string | undefined> {
    return this.cluster.retrying('DescribeConfigs', `topic ${topic}`, this.withinMs, async () => {
      const body = encodeDescribeTopicConfig(topic, [name]);
      const answer = decodeDescribeTopicConfig(await this.cluster.wire.send(ANY_NODE, 'control', APIS.describeConfigs, body));
      if (answer.error === CODE.NONE) return { done: answer.values.get(name) ?? undefined };
      if (isRefused(answer.error)) return { done: undefined };
      return { again: codeName(answer.error) };
    });
  }
}

function judge({ topic, partitions }: TopicSpec, found: TopicMetadata | undefined): 'missing' | 'waiting' | 'ready' {
  if (found === undefined) return 'waiting';
  if (found.error === CODE.UNKNOWN_TOPIC_OR_PARTITION) return 'missing';
  if (isRefused(found.error) || found.error === CODE.INVALID_TOPIC_EXCEPTION) {
    throw errors.callRefused({ act: 'Description', object: `topic ${topic}`, answer: codeName(found.error), detail: '' });
  }
  if (found.error !== CODE.NONE) return 'waiting';
  if (found.partitions.length !== partitions) {
    throw errors.partitionCountDiffers({ topic, expected: partitions, actual: found.partitions.length });
  }
  return found.partitions.every(({ leader }) => leader >= 0) ? 'ready' : 'waiting';
}
