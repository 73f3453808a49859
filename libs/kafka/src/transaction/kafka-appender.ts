import type { Append, AppendResult, LogAppender, WeirError } from '@weir/core';
import { errors } from '../errors.js';
import type { KafkaSettings } from '../options.js';
import type { Attempt, Cluster } from '../wire/cluster.js';
import { CODE, codeName, isPassing, isRefused } from '../wire/error-codes.js';
import { ANY_NODE, APIS, type Role } from '../wire/wire.js';
import { Appender, type BatchProducer } from './appender.js';
import type { TopicLimits } from './batch-limits.js';
import { PartitionSequences } from './partition-sequences.js';
import { decodeInitProducerId, encodeInitProducerId, NO_PRODUCER, type ProducerIdentity } from './transaction-messages.js';

/**
 * LogAppender on Kafka: an idempotent producer without transactions (KIP-98). Appends go one after another. After one that failed the
 * identity is a new one, for its sequence numbers may be used up, or a late batch of it still on its way.
 */
export class KafkaAppender implements LogAppender {
  readonly #producer: IdempotentProducer;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly cluster: Cluster,
    private readonly settings: KafkaSettings,
    private readonly limits: TopicLimits,
    role: Role,
  ) {
    this.#producer = new IdempotentProducer(cluster, role, settings.requestTimeoutMs);
  }

  /** Gets the first identity. @throws WeirError `retry` if the cluster cannot be reached */
  open(): Promise<void> {
    return this.#producer.renew();
  }

  append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    if (this.#closed) return Promise.reject(errors.closed({ act: 'append outside of transactions' }));
    const mine = this.#tail.then(() => this.#append(appends));
    this.#tail = mine.catch(() => undefined);
    return mine;
  }

  async #append(appends: readonly Append[]): Promise<readonly AppendResult[]> {
    await this.#producer.renew();
    const topics = new Set(appends.filter(({ records }) => records.count > 0).map(({ topic }) => topic));
    const { cluster, limits, settings } = this;
    try {
      const appender = await limits.with(topics, (known) => new Appender(cluster, this.#producer, settings, appends, known, limits.refused));
      return await appender.run(settings.requestTimeoutMs);
    } catch (thrown) {
      this.#producer.taint();
      throw thrown;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }
}

class IdempotentProducer implements BatchProducer {
  readonly transactionalId = null;
  readonly produceCall = APIS.produce;
  readonly sequences = new PartitionSequences();
  #identity: ProducerIdentity = NO_PRODUCER;
  #tainted = true;

  constructor(
    private readonly cluster: Cluster,
    readonly role: Role,
    private readonly timeoutMs: number,
  ) {}

  get identity(): ProducerIdentity {
    return this.#identity;
  }

  taint(): void {
    this.#tainted = true;
  }

  /** Nobody fences a producer without a transactional id: the log has forgotten this one. */
  fence(act: string, code: number): WeirError {
    return this.failed(act, codeName(code));
  }

  failed(act: string, problem: string, cause?: unknown): WeirError {
    return errors.appendUncertain({ act, problem }, cause);
  }

  async renew(): Promise<void> {
    if (!this.#tainted) return;
    this.#identity = await this.cluster.retrying('InitProducerId', 'an appender', this.timeoutMs, () => this.#init());
    this.sequences.clear();
    this.#tainted = false;
  }

  async #init(): Promise<Attempt<ProducerIdentity>> {
    const body = encodeInitProducerId(null, this.timeoutMs, NO_PRODUCER);
    const { error, ...identity } = decodeInitProducerId(await this.cluster.wire.send(ANY_NODE, this.role, APIS.initProducerId, body));
    if (error === CODE.NONE) return { done: identity };
    if (isRefused(error)) throw errors.callRefused({ act: 'InitProducerId', object: 'an appender', answer: codeName(error), detail: '' });
    if (isPassing(error)) return { again: codeName(error) };
    throw this.failed('InitProducerId', codeName(error));
  }
}
