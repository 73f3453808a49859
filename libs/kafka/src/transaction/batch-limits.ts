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

  /** Forgets a limit that a record did not fit: it may have been raised, and then the next try fits. */
  forget(topic: string): void {
    this.#known.delete(topic);
  }
}
