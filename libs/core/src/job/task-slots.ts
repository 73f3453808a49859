import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Telemetry } from '../ports/telemetry.js';
import { describeStrategy, NO_FAILURES, onFailure, type RestartHistory } from '../restart/restart-strategy.js';
import { isRestartable, Task, type TaskEnd } from '../task/task.js';
import type { TaskHost } from '../task/task-host.js';
import { taskName, type TaskPlan } from '../task/task-plan.js';

/**
 * The tasks of a job in this process, each in a slot that outlives its attempts. A failed task restarts alone, from its last commit,
 * when the restart strategy says; what the strategy does not allow, or restarting cannot mend, fails the job.
 *
 *   slot:  RUNS(task) --canceled--> EMPTY
 *             ^  |
 *   (timer)   |  +--failed, may restart--> WAITS(timer)
 *             +-------------------------------+
 *                |
 *                +--failed, may not--> EMPTY, and the job fails
 *
 * A fenced task restarts too, for its transaction may have been ended by the log; but one that is fenced again and again has a rival
 * with the same application id, and gives up (FENCED_REPEATEDLY), so that two processes do not take turns for ever.
 */
export interface SlotsHost {
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  readonly taskHost: TaskHost;
  /** A task failed; it will restart by itself. */
  onTaskFailed(slot: string, error: Error): void;
  /** A task failed for good. */
  onGiveUp(slot: string, error: Error): void;
}

/** Times a task may be fenced within FENCED_WINDOW_MS before it gives up. */
const FENCED_LIMIT = 3;
const FENCED_WINDOW_MS = 60_000;

type SlotState = { readonly state: 'RUNS'; readonly task: Task; readonly ended: Promise<void> } | { readonly state: 'WAITS'; readonly cancel: Cancel } | { readonly state: 'EMPTY' };

interface Slot {
  readonly plan: TaskPlan;
  current: SlotState;
  /** The latest attempt, also when it has ended: for overviews. */
  latest: Task;
  history: RestartHistory;
  /** Why the local store must not be used; until an attempt has come so far as to destroy it. */
  distrust: string | undefined;
  fencedAt: number[];
}

export class TaskSlots {
  readonly #slots: readonly Slot[];
  #closed = false;

  constructor(
    plans: readonly TaskPlan[],
    private readonly host: SlotsHost,
  ) {
    this.#slots = plans.map((plan): Slot => {
      return { plan, current: { state: 'EMPTY' }, latest: new Task(plan, 0, host.taskHost), history: NO_FAILURES, distrust: undefined, fencedAt: [] };
    });
  }

  get count(): number {
    return this.#slots.length;
  }

  /** The latest attempt of every task. */
  get tasks(): readonly Task[] {
    return this.#slots.map((slot) => slot.latest);
  }

  running(): readonly Task[] {
    return this.tasks.filter((task) => task.status === 'RUNNING');
  }

  start(): void {
    for (const slot of this.#slots) this.#run(slot, slot.latest);
  }

  /** Stops every task, and starts none again. Resolves when all have ended. */
  async stop(): Promise<void> {
    this.#closed = true;
    const ends = this.#slots.map((slot) => {
      const { current } = slot;
      if (current.state === 'WAITS') {
        current.cancel();
        slot.current = { state: 'EMPTY' };
      }
      if (current.state !== 'RUNS') return undefined;
      current.task.stop();
      return current.ended;
    });
    await Promise.all(ends);
  }

  #run(slot: Slot, task: Task): void {
    slot.latest = task;
    const ended = task.run().then((end) => this.#onEnd(slot, task, end));
    slot.current = { state: 'RUNS', task, ended };
  }

  #onEnd(slot: Slot, task: Task, end: TaskEnd): void {
    slot.current = { state: 'EMPTY' };
    if (end.type === 'canceled') return;
    const name = taskName(slot.plan);
    const { error } = end;
    const restart = this.#closed ? undefined : this.#decide(slot, error);
    const { job, subTopology, task: index } = slot.plan;
    const restartInMs = restart?.type === 'restart' ? restart.afterMs : undefined;
    this.host.telemetry.emit({ type: 'task-failed', job, subTopology, task: index, error, restartInMs });
    if (restart?.type !== 'restart') {
      this.host.onGiveUp(name, restart?.error ?? error);
      return;
    }
    if (isWeirError(error, 'rebuild-state')) slot.distrust = error.message;
    else if (task.overview().restore !== undefined) slot.distrust = undefined;
    const cancel = this.host.clock.after(restart.afterMs, () => this.#run(slot, new Task(slot.plan, task.attempt + 1, this.host.taskHost, slot.distrust)));
    slot.current = { state: 'WAITS', cancel };
    this.host.onTaskFailed(name, error);
  }

  #decide(slot: Slot, error: Error): { readonly type: 'restart'; readonly afterMs: number } | { readonly type: 'give-up'; readonly error: Error } {
    const now = this.host.clock.monotonic();
    if (!isRestartable(error)) return { type: 'give-up', error };
    if (isWeirError(error, 'fenced')) {
      slot.fencedAt = [...slot.fencedAt.filter((at) => now - at < FENCED_WINDOW_MS), now];
      if (slot.fencedAt.length >= FENCED_LIMIT) {
        const { applicationId } = slot.plan.settings;
        const facts = { applicationId, task: taskName(slot.plan), times: slot.fencedAt.length, withinMs: FENCED_WINDOW_MS };
        return { type: 'give-up', error: errors.fencedRepeatedly(facts, error) };
      }
    }
    const strategy = slot.plan.settings.restartStrategy;
    const { decision, history } = onFailure(strategy, slot.history, now, this.host.clock.random());
    slot.history = history;
    if (decision.type === 'restart') return decision;
    return { type: 'give-up', error: errors.restartsExhausted({ task: taskName(slot.plan), strategy: describeStrategy(strategy) }, error) };
  }
}
