import { isWeirError, RECORD_TOO_LARGE, type RecordTooLarge } from '@weir/core';
import type { Topics } from '../admin/topics.js';

/** How large a batch of a topic may be. */
export interface BatchLimits {
  readonly bytes: number;
  /** False if this client may not read the topic's settings: then Kafka's default is a target, and the broker judges. */
  readonly isKnown: boolean;
}

const DEFAULT_MOST_BYTES = 1_048_588;

/** The limits of topics, asked for once each, before the first append to it. */
export class TopicLimits {
  readonly #known = new Map<string, BatchLimits>();

  constructor(private readonly topics: Topics) {}

  /** @throws WeirError `retry` if the cluster does not answer */
  async of(topics: Iterable<string>): Promise<ReadonlyMap<string, BatchLimits>> {
    for (const topic of topics) {
      if (this.#known.has(topic)) continue;
      const configured = await this.topics.config(topic, 'max.message.bytes');
      const bytes = configured === undefined ? DEFAULT_MOST_BYTES : Number(configured);
      this.#known.set(topic, { bytes, isKnown: configured !== undefined });
    }
    return this.#known;
  }

  /**
   * Gives `use` the limits. Where a record does not fit, the limit may have been raised since it was learned: it is asked for anew, once.
   * @throws WeirError what `use` throws; `retry` if the cluster does not answer
   */
  async with<T>(topics: ReadonlySet<string>, use: (limits: ReadonlyMap<string, BatchLimits>) => T): Promise<T> {
    const known = await this.of(topics);
    try {
      return use(known);
    } catch (thrown) {
      if (!isWeirError(thrown) || thrown.code !== RECORD_TOO_LARGE) throw thrown;
      this.#known.delete((thrown.context as RecordTooLarge).topic);
      return use(await this.of(topics));
    }
  }

  /**
   * The broker refused a batch for its size. A limit that was known has been lowered since, and is asked for anew; one that was never known
   * is below the batch, so half of it is tried next.
   */
  readonly refused = (topic: string, batchBytes: number): void => {
    if (this.#known.get(topic)?.isKnown === false) this.#known.set(topic, { bytes: Math.ceil(batchBytes / 2), isKnown: false });
    else this.#known.delete(topic);
  };
}
