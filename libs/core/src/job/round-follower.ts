import type { EndedRound, RoundRecord, TriggeredRound } from '../control/control-record.js';
import { errors } from '../errors/errors.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { TaskHandle } from '../task/task-host.js';

/**
 * What the rounds in the control topic mean to the tasks of this replica.
 *
 *   a round is triggered     every running task gets its barrier; a task that starts to run gets that of the open round, unless it has
 *                            committed it already, and then waits for the end of the round all the same (R1, R3)
 *   a round ends             every task may commit again; one that has not committed its barrier restarts, if the record says so
 *   no round for a while     running tasks commit without barriers, every interval (R1): a task is down somewhere, or the coordinator is, or
 *                            checkpointing is off
 */
export interface FollowerHost {
  readonly clock: Clock;
  /** False: there are none, so every interval is one without. */
  readonly rounds: boolean;
  readonly intervalMs: number;
  /** Latest attempts of the tasks of this replica, whatever their status. */
  tasks(): readonly TaskHandle[];
  /** The round that is open now. */
  openRound(): TriggeredRound | undefined;
  /** Every interval. */
  onTick(): void;
}

/** Intervals without a trigger after which tasks commit by themselves: more than one, for triggers come a little late. */
const PATIENCE = 2;

export class RoundFollower {
  #cancelTick: Cancel | undefined;
  #triggeredAt: number;

  constructor(private readonly host: FollowerHost) {
    this.#triggeredAt = host.clock.monotonic();
  }

  start(): void {
    this.#cancelTick ??= this.host.clock.after(this.host.intervalMs, () => this.#tick());
  }

  close(): void {
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  onRound(round: RoundRecord): void {
    if (round.type === 'ended') {
      for (const task of this.host.tasks()) task.endRound(round.id);
      this.#failOver(round);
      return;
    }
    this.#triggeredAt = this.host.clock.monotonic();
    for (const task of this.host.tasks()) if (task.status === 'RUNNING') this.#give(task, round);
  }

  onTaskRunning(task: TaskHandle): void {
    const open = this.host.openRound();
    if (open !== undefined) this.#give(task, open);
  }

  /** Restarts what the round names. What has committed its barrier meanwhile, or is down already, has done what was asked. */
  #failOver({ id, durationMs, restart = [] }: EndedRound): void {
    for (const task of this.host.tasks()) {
      if (!restart.includes(task.name) || task.status !== 'RUNNING' || task.lastBarrier >= id) continue;
      task.fail(errors.checkpointNotTolerated({ task: task.name, checkpoint: id, durationMs: Math.round(durationMs) }));
    }
  }

  /** R3: a second barrier n never follows a first. */
  #give(task: TaskHandle, { id, broadcastEnds }: TriggeredRound): void {
    if (task.lastBarrier < id) task.trigger(id, broadcastEnds);
  }

  #tick(): void {
    const { clock, intervalMs, rounds } = this.host;
    this.#cancelTick = clock.after(intervalMs, () => this.#tick());
    this.host.onTick();
    if (this.host.openRound() !== undefined || (rounds && clock.monotonic() - this.#triggeredAt < PATIENCE * intervalMs)) return;
    for (const task of this.host.tasks()) if (task.status === 'RUNNING') task.commitPlain();
  }
}
