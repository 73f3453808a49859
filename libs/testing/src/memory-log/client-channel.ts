import { sleep, type LogContext } from '@weir/core';
import { errors } from '../errors.js';
import type { CallFacts, FaultPlan, FaultStage } from './fault-plan.js';
import { BUSY } from './transaction-coordinator.js';
import { never } from '../never.js';

/** What a channel needs of the cluster that it leads to. */
export interface ChannelWires {
  readonly faults: FaultPlan;
  /** Milliseconds that the next request or reply travels. */
  readonly travelMs: () => number;
  /** Milliseconds until a client sends again what was lost or refused as busy. */
  readonly retryMs: number;
  /** Runs something later, by the cluster's clock. */
  readonly later: (ms: number, run: () => void) => void;
}

/**
 * ClientChannel: the way of one client's requests to the cluster and back, with all that can happen to them.
 *
 *   OPEN -- close --> CLOSED        no new request; those under way still get their answer, and nothing is sent again
 *    |                  |
 *    +---- kill --------+--> DEAD   nothing takes effect any more, and no promise ever settles again
 *
 * Each call: 1. fault point `send`; 2. travel; 3. the effect, in one synchronous step; 4. fault point `applied`; 5. travel back;
 * 6. fault point `replied`. A lost request or reply, and the answer BUSY, start over at 1 after a pause: effects are made so that a
 * repetition does nothing twice (C4 of transaction-coordinator.ts).
 */
export class ClientChannel {
  #life: 'OPEN' | 'CLOSED' | 'DEAD' = 'OPEN';

  constructor(
    readonly context: LogContext,
    private readonly wires: ChannelWires,
  ) {}

  get isDead(): boolean {
    return this.#life === 'DEAD';
  }

  get isClosed(): boolean {
    return this.#life === 'CLOSED';
  }

  close(): void {
    if (this.#life === 'OPEN') this.#life = 'CLOSED';
  }

  kill(): void {
    this.#life = 'DEAD';
  }

  /** @throws WeirError `restart-task` LOG_CLOSED; what `effect` throws; what a fault throws */
  async call<T>(facts: CallFacts, effect: () => T | typeof BUSY): Promise<T> {
    for (;;) {
      if (this.#life === 'CLOSED') throw this.closedError(facts.call);
      const lost = await this.#strike(facts, 'send', effect);
      if (!lost) {
        await this.#travel();
        const answer = effect();
        if (answer !== BUSY && !(await this.#strike(facts, 'applied'))) {
          await this.#travel();
          await this.#strike(facts, 'replied');
          return answer;
        }
      }
      await this.pause();
    }
  }

  /** Waits as long as a client does before it tries again. */
  async pause(): Promise<void> {
    await sleep(this.context.clock, this.wires.retryMs);
    if (this.isDead) await never();
  }

  /** Resolves at once, or never for a dead client. */
  async alive(): Promise<void> {
    if (this.isDead) await never();
  }

  closedError(act: string): Error {
    return errors.logClosed({ act, clientId: this.context.clientId });
  }

  async #travel(): Promise<void> {
    const ms = this.wires.travelMs();
    if (ms > 0) await sleep(this.context.clock, ms);
    if (this.isDead) await never();
  }

  /** Lets a fault strike here. True if it loses the message. */
  async #strike(facts: CallFacts, stage: FaultStage, effect?: () => unknown): Promise<boolean> {
    if (this.isDead) await never();
    const action = this.wires.faults.next(`${facts.call}:${stage}`, facts);
    switch (action?.type) {
      case undefined:
        return false;
      case 'fail':
        throw action.error;
      case 'lose':
        return true;
      case 'late':
        this.wires.later(action.ms, () => arrive(effect!));
        throw action.error;
      case 'run':
        action.run();
        break;
      case 'kill':
        this.kill();
        break;
      case 'delay':
        await sleep(this.context.clock, action.ms);
        break;
    }
    if (this.isDead) await never();
    return false;
  }
}

/** A request that nobody waits for any more: what the log answers, and be it a refusal, goes nowhere. */
function arrive(effect: () => unknown): void {
  try {
    effect();
  } catch (refusal) {
    void refusal;
  }
}
