import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Telemetry } from '../ports/telemetry.js';
import { describeStrategy, isRestartable, NO_FAILURES, onFailure, type RestartHistory } from '../restart/restart-strategy.js';
import { Task } from '../task/task.js';
import type { TaskEnd } from '../task/task-end.js';
import { RecordRetries } from '../task/record-retries.js';
import type { TaskHost } from '../task/task-host.js';
import { taskName, type TaskPlan } from '../task/task-plan.js';

/**
 * The tasks of a job, each in a slot that outlives its attempts. Those that this replica is to run are started, and closed when they go
 * elsewhere. A failed task restarts alone, from its last commit, when the restart strategy says; what the strategy does not allow, or
 * restarting cannot mend, fails the job.
 *
 *   slot:  EMPTY --start--> RUNS(task) --close, drop--> ENDS(task) --ended--> EMPTY, or RUNS if it was started again meanwhile
 *                                  (hold: the same for all)
 *                           ^      |
 *                  (timer)  |      +--failed, may restart--> WAITS(timer) --close, drop--> EMPTY
 *                           +--------------------------------+
 *                                  |
 *                                  +--failed, may not--> EMPTY, and the job fails
 *
 * A task that is to try a record again restarts as that record's operator says (task/record-retries.ts), which the strategy does not count.
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

type SlotState =
  | { readonly state: 'EMPTY' }
  | { readonly state: 'RUNS'; readonly task: Task; readonly ended: Promise<void> }
  | { readonly state: 'WAITS'; readonly cancel: Cancel }
  /** `isLast`: the job stops, so what it cannot commit is computed again only once the job is started anew; otherwise by its next owner. */
  | { readonly state: 'ENDS'; readonly ended: Promise<void>; readonly isLast: boolean };

interface Slot {
  readonly plan: TaskPlan;
  /** Whether this replica is to run it. */
  isOurs: boolean;
  current: SlotState;
  /** The latest attempt, also when it has ended: for overviews. */
  latest: Task | undefined;
  history: RestartHistory;
  /** Why the local store must not be used; until an attempt has come so far as to destroy it. */
  distrust: string | undefined;
  fencedAt: number[];
  /** Of the attempts since the task became this replica's. */
  retries: RecordRetries;
}

export class TaskSlots {
  readonly #slots: ReadonlyMap<string, Slot>;
  #closed = false;
  /** Whether the job is not to run now: its tasks are this replica's all the same. */
  #held = false;

  /** @param plans of every task of the job */
  constructor(
    plans: readonly TaskPlan[],
    private readonly host: SlotsHost,
  ) {
    const slotOf = (plan: TaskPlan): Slot => {
      return { plan, isOurs: false, current: { state: 'EMPTY' }, latest: undefined, history: NO_FAILURES, distrust: undefined, fencedAt: [], retries: new RecordRetries() };
    };
    this.#slots = new Map(plans.map((plan) => [taskName(plan), slotOf(plan)]));
  }

  /** Names of every task of the job. */
  get names(): readonly string[] {
    return [...this.#slots.keys()];
  }

  /** The latest attempts of the tasks that are this replica's, or still end here; once stopped, of all that it had. */
  get tasks(): readonly Task[] {
    const shown = [...this.#slots.values()].filter(({ isOurs, current }) => isOurs || current.state !== 'EMPTY' || this.#closed);
    return shown.flatMap(({ latest }) => latest ?? []);
  }

  running(): readonly Task[] {
    return this.tasks.filter((task) => task.status === 'RUNNING');
  }

  /** Whether all tasks that are this replica's run. */
  get areRunning(): boolean {
    return !this.#held && [...this.#slots.values()].every(({ isOurs, latest }) => !isOurs || latest?.status === 'RUNNING');
  }

  /** Whether a task is this replica's, or still ends here: its store is in use, or about to be. */
  isBusy(name: string): boolean {
    const slot = this.#slots.get(name)!;
    return slot.isOurs || slot.current.state !== 'EMPTY';
  }

  /** Starts a task that is this replica's from now on; one that still ends is started once it has ended. */
  start(name: string): void {
    const slot = this.#slots.get(name);
    if (slot === undefined || this.#closed || slot.isOurs) return;
    slot.isOurs = true;
    slot.retries = new RecordRetries();
    if (slot.current.state === 'EMPTY' && !this.#held) this.#run(slot, nextAttempt(slot));
  }

  /** Gives a task up with a last commit. Resolves when it has ended. */
  close(name: string): Promise<void> {
    return this.#end(name, (task) => task.stop());
  }

  /** Gives a task up at once: what is not committed is dropped. Resolves when it has ended. */
  drop(name: string): Promise<void> {
    return this.#end(name, (task) => task.abandon());
  }

  /** I8. Ends every task without a last commit; until `release` none is run, though it may become or cease to be this replica's. Resolves when all have ended. */
  async hold(): Promise<void> {
    this.#held = true;
    await Promise.all([...this.#slots.values()].map((slot) => this.#endIn(slot, (task) => task.abandon())));
  }

  /** Runs every task that is this replica's; one that still ends is run once it has ended. */
  release(): void {
    if (!this.#held || this.#closed) return;
    this.#held = false;
    for (const slot of this.#slots.values()) if (slot.isOurs && slot.current.state === 'EMPTY') this.#run(slot, nextAttempt(slot));
  }

  /** Closes every task, and starts none again. Resolves when all have ended. */
  async stop(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.names.map((name) => this.close(name)));
  }

  async #end(name: string, end: (task: Task) => void): Promise<void> {
    const slot = this.#slots.get(name)!;
    slot.isOurs = false;
    await this.#endIn(slot, end);
  }

  async #endIn(slot: Slot, end: (task: Task) => void): Promise<void> {
    const { current } = slot;
    if (current.state === 'WAITS') {
      current.cancel();
      slot.current = { state: 'EMPTY' };
    }
    if (current.state === 'RUNS') {
      slot.current = { state: 'ENDS', ended: current.ended, isLast: this.#closed };
      end(current.task);
    }
    if (slot.current.state === 'ENDS') await slot.current.ended;
  }

  #run(slot: Slot, attempt: number): void {
    const task = new Task(slot.plan, attempt, this.host.taskHost, slot.distrust, slot.retries);
    slot.latest = task;
    const ended = task.run().then((end) => this.#onEnd(slot, task, end));
    slot.current = { state: 'RUNS', task, ended };
  }

  #onEnd(slot: Slot, task: Task, end: TaskEnd): void {
    const before = slot.current;
    const wasGivenUp = before.state === 'ENDS';
    slot.current = { state: 'EMPTY' };
    if (end.type === 'failed') this.#onFailure(slot, task, end.error, before);
    if (wasGivenUp && slot.isOurs && !this.#held) this.#run(slot, task.attempt + 1);
  }

  /** One that was to end anyway has ended; what it could not commit is said, and computed again by whoever has it next. */
  #onFailure(slot: Slot, task: Task, error: Error, before: SlotState): void {
    const name = taskName(slot.plan);
    const restart = before.state === 'ENDS' ? undefined : this.#decide(slot, error);
    const { job, subTopology, task: index } = slot.plan;
    const restartInMs = restart?.type === 'restart' ? restart.afterMs : undefined;
    this.host.telemetry.emit({ type: 'task-failed', job, subTopology, task: index, error, restartInMs });
    if (isWeirError(error, 'rebuild-state')) slot.distrust = error.message;
    else if (task.overview().restore !== undefined) slot.distrust = undefined;
    if (restart?.type === 'restart') {
      const again = (): void => this.#run(slot, task.attempt + 1);
      slot.current = { state: 'WAITS', cancel: this.host.clock.after(restart.afterMs, again) };
      this.host.onTaskFailed(name, error);
    } else if (before.state !== 'ENDS' || before.isLast) this.host.onGiveUp(name, restart?.error ?? error);
  }

  #decide(slot: Slot, error: Error): { readonly type: 'restart'; readonly afterMs: number } | { readonly type: 'give-up'; readonly error: Error } {
    const now = this.host.clock.monotonic();
    const retryInMs = retryDelayOf(error);
    if (retryInMs !== undefined) return { type: 'restart', afterMs: retryInMs };
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

const nextAttempt = ({ latest }: Slot): number => (latest === undefined ? 0 : latest.attempt + 1);

/** Milliseconds before the record that ended the task is tried again; undefined for any other end. */
const retryDelayOf = (error: Error): number | undefined => (isWeirError(error) && error.code === 'RECORD_TO_RETRY' ? Number(error.context['delayMs']) : undefined);
