import { isWeirError } from '../errors/weir-error.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import { checkInputs } from '../task/open-inputs.js';
import type { InputTopic, TaskPlan } from '../task/task-plan.js';

/**
 * InputWatch: looks at the topics that a running job reads every INPUT_CHECK_MS, for what the tasks cannot notice by reading: partitions that
 * were added, whose records nobody would read, and a topic that was deleted and created again. A savepoint that is restored deals the state
 * out anew; until then a job that went on would keep its keys by the former partitions, so it ends. Each task looks, too, when it starts.
 *
 *   WAITS(timer) --due--> LOOKS --as planned, or the log cannot be reached--> WAITS
 *                           `--something else--> onChanged, once; ended       any --close--> ended
 */
export const INPUT_CHECK_MS = 30_000;

export class InputWatch {
  readonly #inputs: readonly InputTopic[];
  #cancel: Cancel | undefined;
  #ended = false;

  constructor(
    plans: readonly TaskPlan[],
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly onChanged: (error: Error) => void,
  ) {
    const read = plans.flatMap(({ inputs }) => inputs).filter(({ type }) => type !== 'repartition');
    this.#inputs = [...new Map(read.map((input) => [input.topic, input])).values()];
    this.#wait();
  }

  #wait(): void {
    if (this.#ended) return;
    this.#cancel = this.clock.after(INPUT_CHECK_MS, () => void this.#look().then(() => this.#wait()));
  }

  async #look(): Promise<void> {
    try {
      await checkInputs(this.log, this.#inputs);
    } catch (thrown) {
      // A log that cannot be asked now says nothing about the topics; reading and writing meet its trouble themselves.
      if (this.#ended || !isWeirError(thrown, 'invalid')) return;
      this.close();
      this.onChanged(thrown);
    }
  }

  close(): void {
    this.#ended = true;
    this.#cancel?.();
  }
}
