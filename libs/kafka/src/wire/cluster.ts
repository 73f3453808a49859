import { isWeirError, partitionName, type Clock, type TopicPartition } from '@weir/core';
import { errors } from '../errors.js';
import { Backoff } from './backoff.js';
import { CODE, codeName, isPassing, isRefused, isStaleCoordinator } from './error-codes.js';
import {
  decodeFindCoordinator,
  decodeMetadata,
  encodeFindCoordinator,
  encodeMetadata,
  type CoordinatorKind,
  type TopicMetadata,
} from './metadata-messages.js';
import { decodeFeatures, encodeFeatures, speaks } from './features-messages.js';
import { ANY_NODE, APIS, FEATURES, TRANSACTION_CALLS, type TransactionVersion, type Wire } from './wire.js';

/** How an attempt ended: with a value, or with a reason to try again. */
export type Attempt<T> = { readonly done: T } | { readonly again: string };

export interface Leader {
  readonly node: number;
  readonly epoch: number;
}

const NOBODY = -1;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Cluster: what is known of a Kafka cluster: which broker leads a partition, which coordinates a group or a transaction. It owns
 * the two caches and the rule for trying again. It decides nothing about the data sent.
 *
 * Invariants:
 * - C1. A leader of a lower epoch never replaces one of a higher epoch of the same topic id: an answer from a broker that is
 *   behind would send requests back to the old leader.
 * - C2. Nothing is asked again before what is on its way has answered: refreshes of one topic that overlap are one request.
 */
export class Cluster {
  readonly #topics = new Map<string, { readonly topicId: string; readonly leaders: Map<number, Leader> }>();
  readonly #coordinators = new Map<string, number>();
  readonly #refreshes = new Map<string, Promise<void>>();
  #closed = false;

  constructor(
    readonly wire: Wire,
    readonly clock: Clock,
  ) {}

  get isClosed(): boolean {
    return this.#closed;
  }

  close(): Promise<void> {
    this.#closed = true;
    return this.wire.close();
  }

  /** The leader by the last metadata; undefined if there is none, or nobody asked yet. */
  leader(topic: string, partition: number): Leader | undefined {
    const leader = this.#topics.get(topic)?.leaders.get(partition);
    return leader === undefined || leader.node === NOBODY ? undefined : leader;
  }

  /** Forgets a leader that said it is none, or that cannot be reached; its epoch stays (C1). */
  forgetLeader(topic: string, partition: number): void {
    const leaders = this.#topics.get(topic)?.leaders;
    const leader = leaders?.get(partition);
    if (leader !== undefined) leaders!.set(partition, { node: NOBODY, epoch: leader.epoch });
  }

  /** The id of a topic by the last metadata, 32 hexadecimal digits; undefined if it is not known. */
  topicId(topic: string): string | undefined {
    return this.#topics.get(topic)?.topicId;
  }

  /** Whether no topic of this name exists, by the last metadata. */
  isMissing(topic: string): boolean {
    return !this.#topics.has(topic);
  }

  /** Asks the cluster about topics, and keeps what it says about leaders. A topic that is missing has an error code. */
  async metadata(topics: readonly string[]): Promise<readonly TopicMetadata[]> {
    const answer = decodeMetadata(await this.wire.send(ANY_NODE, 'control', APIS.metadata, encodeMetadata(topics)));
    this.wire.learn(answer.nodes);
    for (const topic of answer.topics) this.#keep(topic);
    return answer.topics;
  }

  #keep(metadata: TopicMetadata): void {
    const { topic, topicId, error, partitions } = metadata;
    if (error !== CODE.NONE && partitions.length === 0) {
      if (error === CODE.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(topic);
      return;
    }
    let known = this.#topics.get(topic);
    if (known === undefined || known.topicId !== topicId) this.#topics.set(topic, (known = { topicId, leaders: new Map() }));
    for (const { partition, leader, leaderEpoch } of partitions) {
      const before = known.leaders.get(partition);
      if (before !== undefined && before.epoch > leaderEpoch) continue; // C1
      known.leaders.set(partition, { node: leader < 0 ? NOBODY : leader, epoch: leaderEpoch });
    }
  }

  /** Brings the leaders of topics up to date; one request for all of them that are not being asked about already. */
  async refresh(topics: readonly string[]): Promise<void> {
    const missing = topics.filter((topic) => !this.#refreshes.has(topic));
    if (missing.length > 0) {
      const refresh = this.metadata(missing).then(
        () => missing.forEach((topic) => this.#refreshes.delete(topic)),
        (thrown: unknown) => {
          missing.forEach((topic) => this.#refreshes.delete(topic));
          throw thrown;
        },
      );
      for (const topic of missing) this.#refreshes.set(topic, refresh); // C2
    }
    await Promise.all(topics.map((topic) => this.#refreshes.get(topic)));
  }

  /**
   * Splits partitions by the broker that leads them, asking for metadata where it is not known.
   * @returns undefined if one of them has no leader now
   */
  async byLeader<P extends TopicPartition>(partitions: readonly P[]): Promise<ReadonlyMap<number, readonly P[]> | undefined> {
    const unknown = new Set(partitions.filter((p) => this.leader(p.topic, p.partition) === undefined).map((p) => p.topic));
    if (unknown.size > 0) await this.refresh([...unknown]);
    const groups = new Map<number, P[]>();
    for (const partition of partitions) {
      const leader = this.leader(partition.topic, partition.partition);
      if (leader === undefined) return undefined;
      const group = groups.get(leader.node);
      if (group === undefined) groups.set(leader.node, [partition]);
      else group.push(partition);
    }
    return groups;
  }

  /**
   * The node that coordinates a group or a transactional id.
   * @throws WeirError `invalid` if the broker refuses to say
   */
  async coordinator(kind: CoordinatorKind, key: string): Promise<Attempt<number>> {
    const name = `${kind}/${key}`;
    const known = this.#coordinators.get(name);
    if (known !== undefined) return { done: known };
    const body = encodeFindCoordinator(kind, key);
    const { error, detail, address } = decodeFindCoordinator(await this.wire.send(ANY_NODE, 'control', APIS.findCoordinator, body));
    if (address !== undefined) {
      this.wire.learn([address]);
      this.#coordinators.set(name, address.node);
      return { done: address.node };
    }
    if (isPassing(error) || isStaleCoordinator(error)) return { again: codeName(error) };
    throw errors.callRefused({ act: 'FindCoordinator', object: `${kind} ${key}`, answer: codeName(error), detail });
  }

  /** The highest version of transactions that the cluster has agreed on, and this library speaks. */
  async transactionVersion(withinMs: number): Promise<TransactionVersion> {
    return this.retrying<TransactionVersion>('ApiVersions', 'the cluster', withinMs, async () => {
      const features = decodeFeatures(await this.wire.send(ANY_NODE, 'control', FEATURES, encodeFeatures()));
      if (features.error !== CODE.NONE) return { again: codeName(features.error) };
      const isAgreed = (features.finalized.get('transaction.version') ?? 0) >= 2;
      return { done: isAgreed && Object.values(TRANSACTION_CALLS[2]).every((call) => speaks(features, call)) ? 2 : 1 };
    });
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.delete(`${kind}/${key}`);
  }

  /**
   * Tries until an attempt is done; pauses in between. An attempt that rejects with `retry` (the broker cannot be reached, or its
   * answer was lost) is tried again, too: only for what may be done twice.
   * @throws WeirError `retry` KAFKA_CALL_UNANSWERED after `withinMs`; what an attempt throws of another kind
   */
  async retrying<T>(act: string, object: string, withinMs: number, attempt: () => Promise<Attempt<T>>): Promise<T> {
    const started = this.clock.monotonic();
    const backoff = new Backoff(this.clock, FIRST_PAUSE_MS, LONGEST_PAUSE_MS);
    for (;;) {
      let last: string;
      let cause: unknown;
      try {
        const outcome = await attempt();
        if ('done' in outcome) return outcome.done;
        last = outcome.again;
      } catch (thrown) {
        if (!isWeirError(thrown, 'retry')) throw thrown;
        last = thrown.message;
        cause = thrown;
      }
      const afterMs = Math.round(this.clock.monotonic() - started);
      if (this.#closed || afterMs >= withinMs) throw errors.callUnanswered({ act, object, afterMs, last }, cause);
      await backoff.pause();
    }
  }
}

/**
 * What a code that an admin call got means: try again, or give up.
 * @throws WeirError `invalid` if the cluster refuses
 */
export function judgeCode(act: string, { topic, partition }: TopicPartition, code: number): { readonly again: string } {
  if (isRefused(code) || code === CODE.INVALID_TOPIC_EXCEPTION) {
    throw errors.callRefused({ act, object: partitionName(topic, partition), answer: codeName(code), detail: '' });
  }
  return { again: codeName(code) };
}
