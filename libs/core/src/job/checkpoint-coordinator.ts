import { acknowledge, checkTimeout, idleRound, type Round, type RoundEnd, type RoundStep, taskFailed, trigger } from '../checkpoint/round.js';
import type { CheckpointId } from '../model/brands.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Task } from '../task/task.js';

/**
 * Drives the round machine (checkpoint/round.ts) for the tasks of this process: triggers by the interval, hears acknowledgements and
 * failures, and tells every task when a round has ended. It keeps no time and no state beyond the open round; what was committed is in
 * the epoch records.
 *
 * Each tick, one of: the open round runs on, or has timed out; every task runs, so the next round is triggered (I5); a task is down, so
 * the others commit without a barrier (R4).
 */
export interface CoordinatorHost {
  readonly clock: Clock;
  readonly intervalMs: number;
  readonly minPauseMs: number;
  readonly timeoutMs: number;
  /** Tasks that are RUNNING now. */
  runningTasks(): readonly Task[];
  /** How many tasks the job has. */
  readonly taskCount: number;
  /** Where the broadcast partitions end now (R9); undefined for a job that has none. */
  readonly broadcastEnds: (() => Promise<readonly PartitionOffset[]>) | undefined;
  onEnd(end: RoundEnd): void;
}

export class CheckpointCoordinator {
  #round: Round<Task> = idleRound<Task>(0 as CheckpointId);
  #endedAt = Number.NEGATIVE_INFINITY;
  #cancelTick: Cancel | undefined;

  constructor(private readonly host: CoordinatorHost) {}

  start(): void {
    this.#cancelTick ??= this.host.clock.after(this.host.intervalMs, () => this.#tick());
  }

  /** Abandons the open round, so that tasks may take their last commit, and triggers no more. */
  close(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#take(taskFailed(this.#round, this.host.clock.monotonic()));
  }

  /** A task has restored: rounds go on above every barrier that was ever committed. */
  onTaskRunning(task: Task): void {
    if (this.#round.state === 'IDLE' && task.lastBarrier > this.#round.last) this.#round = idleRound(task.lastBarrier);
  }

  onAcknowledge(task: Task, id: CheckpointId): void {
    this.#take(acknowledge(this.#round, task, id, this.host.clock.monotonic()));
  }

  onTaskFailed(): void {
    this.#take(taskFailed(this.#round, this.host.clock.monotonic()));
  }

  /** Triggers the next round, if one can be. @returns whether it did */
  #trigger(broadcastEnds: readonly PartitionOffset[]): boolean {
    const { host } = this;
    const running = host.runningTasks();
    if (running.length < host.taskCount) return false;
    const open = trigger(this.#round, new Set(running), host.clock.monotonic());
    if (open === undefined) return false;
    this.#round = open;
    for (const task of running) task.trigger(open.id, broadcastEnds);
    return true;
  }

  #triggerNext(): void {
    const { broadcastEnds } = this.host;
    if (broadcastEnds === undefined) this.#trigger([]);
    else void this.#triggerWithEnds(broadcastEnds);
  }

  /** R9: the trigger names the ends of the broadcast, which are asked for first. What has happened meanwhile is looked at again. */
  async #triggerWithEnds(broadcastEnds: () => Promise<readonly PartitionOffset[]>): Promise<void> {
    try {
      const ends = await broadcastEnds();
      if (this.#cancelTick !== undefined) this.#trigger(ends);
    } catch {
      // The log cannot be reached: the next tick asks again, and tasks that need the log notice for themselves.
    }
  }

  #tick(): void {
    const { host } = this;
    this.#cancelTick = host.clock.after(host.intervalMs, () => this.#tick());
    const now = host.clock.monotonic();
    this.#take(checkTimeout(this.#round, host.timeoutMs, now));
    if (this.#round.state === 'OPEN') return;
    const running = host.runningTasks();
    if (running.length < host.taskCount) for (const task of running) task.commitPlain(); // R4; the pause is one between rounds
    else if (now - this.#endedAt >= host.minPauseMs) this.#triggerNext();
  }

  #take({ round, end }: RoundStep<Task>): void {
    this.#round = round;
    if (end === undefined) return;
    this.#endedAt = this.host.clock.monotonic();
    for (const task of this.host.runningTasks()) task.endRound(end.id);
    this.host.onEnd(end);
  }
}
