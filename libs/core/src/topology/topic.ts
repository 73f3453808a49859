import type { Codec, Encodes } from '../codec/codec.js';
import type { PartitionFunction, PartitionerName } from '../model/partitioner.js';
import type { OperatorOptions } from './bad-records.js';

/** A topic with the codecs of its keys and values. */
export interface Topic<K, V> {
  readonly topic: string;
  readonly key: Codec<K>;
  readonly value: Codec<V>;
  /** Where records that are written go by their key; null keys take the partitions in turn. Default murmur2, as the Java client. */
  readonly partitioner: PartitionerName | PartitionFunction;
}

/** A topic that these keys and values can be written to. */
export type TopicTaking<K, V> = Topic<unknown, unknown> & { readonly key: Encodes<K>; readonly value: Encodes<V> };

/** Describes a topic. Null keys and null values (tombstones) pass as null, whatever the codec. */
export function topic<K, V>(
  name: string,
  form: { readonly key: Codec<K>; readonly value: Codec<V>; readonly partitioner?: PartitionerName | PartitionFunction },
): Topic<K, V> {
  return { topic: name, key: form.key, value: form.value, partitioner: form.partitioner ?? 'murmur2' };
}

/** Where a job's first start begins to read. Later starts go on where the last commit ended. */
export type StartPosition = 'earliest' | 'latest';

/**
 * What a job does where its position in a partition is no longer in the log: the topic's retention has passed it, or the log lost its tail.
 *
 * `fail` stops the job with an error that says how much is gone. `earliest` goes on at the oldest record that is there, `latest` at the end:
 * what was skipped is said by an event. Behind a lost tail both go on at the end, for what lies before it was processed.
 */
export type OutOfRangePolicy = 'fail' | 'earliest' | 'latest';

export const OUT_OF_RANGE_POLICIES: readonly OutOfRangePolicy[] = ['fail', 'earliest', 'latest'];

export interface SourceOptions extends OperatorOptions {
  /** Default earliest. */
  readonly start?: StartPosition;
  /** Default fail. A source that is broadcast always fails: its readers must all have read the same. */
  readonly onOffsetOutOfRange?: OutOfRangePolicy;
}

/** Which partitioner put the records where they are: `auto` takes the one that fits the first keys seen. */
export type AlreadyPartitioned = { readonly partitioner: 'auto' | PartitionerName | PartitionFunction };

export interface KeyByOptions<V = unknown> extends OperatorOptions {
  /** Names the shuffle, and with it its repartition topic; unique in the job. Default `shuffle-` and its number. */
  readonly name?: string;
  /**
   * Carries the stream's values through the repartition topic. May be left out right behind a source (also with filters between), whose
   * topic has a codec.
   */
  readonly value?: Codec<V> & Encodes<V>;
  /**
   * The topic is partitioned by this very key, so no shuffle is needed. Each key is checked when it enters the cache; one that lies
   * elsewhere stops the job with KEY_ELSEWHERE.
   */
  readonly alreadyPartitioned?: AlreadyPartitioned;
}
