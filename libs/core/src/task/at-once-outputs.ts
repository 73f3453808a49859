import type { LogAppender } from '../ports/log.js';
import type { EpochEffects } from './epoch-effects.js';
import { OutputBuffers } from './output-buffers.js';

/**
 * AtOnceOutputs: the way of outputs and shuffled records where the mode is AT_LEAST_ONCE. They are sent as they come, outside of
 * transactions, at most once a turn of the task's loop, so that their readers need not wait for the commit. It does not own barriers,
 * changelog, epoch record and offsets: those stay in the transaction, so a zombie cannot regress state.
 *
 *   FREE --offer, something is there--> SENDING --acknowledged--> FREE
 *                                          +--refused--> FAILED: thrown by the next `offer`, and by `settled`
 *
 * Invariants
 *   O1. Appends are made one after another, in the order of processing; none follows one that failed.
 *   O2. `settled` resolves once all that was sent is acknowledged. A commit waits for it before its transaction begins: offsets never cover
 *       a record whose outputs may be lost.
 *   O3. One append is under way, and at a freeze one waits behind it; what comes meanwhile fills the epoch, whose limits hold reading back.
 */
export class AtOnceOutputs {
  readonly #free: OutputBuffers[] = [];
  #tail: Promise<void> = Promise.resolve();
  #underWay = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly appender: LogAppender,
    private readonly host: {
      /** Something was acknowledged, or refused. */
      wake(): void;
      /** What a refusal means in the user's words. */
      explain(error: unknown, sent: OutputBuffers): unknown;
    },
  ) {}

  /** Sends what there is, unless something is under way. @returns whether it took the outputs: the writers of the effects are others now */
  offer(effects: EpochEffects): boolean {
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#underWay > 0 || !effects.hasOutputs) return false;
    this.flush(effects);
    return true;
  }

  /** Sends what there is behind what is under way: the last of an epoch. */
  flush(effects: EpochEffects): void {
    if (!effects.hasOutputs) return;
    const sent = effects.takeOutputs(this.#free.pop() ?? new OutputBuffers());
    this.#underWay++;
    this.#tail = this.#tail.then(() => this.#send(sent)); // O1
    this.#tail.catch(() => undefined); // `offer` and `settled` tell
  }

  /** O2. @throws WeirError as the log throws it */
  settled(): Promise<void> {
    return this.#tail;
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    await this.#tail.catch(() => undefined);
    await this.appender.close();
  }

  async #send(sent: OutputBuffers): Promise<void> {
    try {
      await this.appender.append(sent.appends());
      sent.clear();
      this.#free.push(sent);
    } catch (thrown) {
      const error = this.host.explain(thrown, sent);
      this.#failure ??= { error };
      throw error;
    } finally {
      this.#underWay--;
      this.host.wake();
    }
  }
}
