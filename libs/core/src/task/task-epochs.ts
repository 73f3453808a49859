import { writeBarrier } from '../checkpoint/barrier.js';
import { type CheckpointId, type Epoch, epoch } from '../model/brands.js';
import { type CommitFigures, NO_FIGURES } from '../model/commit-figures.js';
import type { LogChunk, LogWriter } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import type { AtOnceOutputs } from './at-once-outputs.js';
import { commitEpoch, type CommitParts, figuresOf, type FrozenEpoch } from './commit.js';
import type { CommitPermit } from './commit-permit.js';
import { EpochEffects } from './epoch-effects.js';
import { EpochLimits } from './epoch-limits.js';
import type { Inputs } from './open-inputs.js';
import type { Pipeline } from './pipeline.js';
import { RepartitionPurge } from './repartition-purge.js';
import type { ReservedRecords } from './reserved-records.js';
import { ShuffleBudget } from './shuffle-budget.js';
import type { TaskHost } from './task-host.js';
import { isSingleStage, taskName, type TaskPlan } from './task-plan.js';
import type { TaskRound } from './task-round.js';
import { TimerWake } from './timer-wake.js';

/**
 * The epochs of a task that runs: one fills with what records and timers make, while the one before it is committed. It owns both, the limits
 * of the one and the commit of the other. What it does not own: the task's life, and its one await (task.ts), which asks for a turn whenever
 * something has happened, and wakes nobody while nothing has.
 *
 *   running --freeze--> frozen, its commit under way (commit.ts) --done--> taken up: acknowledged, and the next to be filled
 *                                                                --failed--> thrown: the task fails
 *
 * A turn, without awaiting:
 *   a. takes up the result of a commit
 *   b. freezes the running epoch and begins its commit, if one is due and allowed (see `#due`)
 *   c. processes fetched chunks, slice by slice within a budget, unless the epoch is full (epoch-limits.ts) or what may be put out before the
 *      next barrier is (shuffle-budget.ts); fires timers
 *
 * Rules of the checkpoint protocol kept here (design, section 5):
 *   R1. From the freeze with barrier n to the end of n, nothing is committed (task-round.ts, and R3). No transaction is open between
 *       commits either, for an epoch's effects are sent as part of its commit.
 *   R8. A trigger finds nothing changed: it is acknowledged without a transaction.
 *   One commit at a time; a frozen epoch commits as it stands, whatever became of its round.
 */

/**
 * Rows processed, and milliseconds, before other tasks and I/O get their turn. A group's session ends in seconds: a slow function must not keep
 * the process's heartbeats, and the other tasks, for so long.
 */
const TURN_ROWS = 20_000;
const TURN_MS = 100;
/** Changes of state that an epoch may always have, however small the budget of the heap cache is. */
const LEAST_CHANGES = 20_000;
/** Timers fired in a turn, per operator, before records get theirs. */
const TIMERS_PER_TURN = 1_000;

/**
 * An epoch that is older than both is committed without a barrier: a task that takes long to come to its barrier must not lose all of it
 * when it fails, or when the round is given up and it has to restart.
 */
const LONG_EPOCH_MS = 30_000;
const LONG_EPOCH_INTERVALS = 4;

/** Whether the task reads on; reads no further and commits what it has; or drops what is not frozen. */
export type Ending = 'none' | 'last-commit' | 'at-once';

type CommitState =
  | { readonly type: 'none' }
  | { readonly type: 'under-way'; readonly frozen: FrozenEpoch; readonly began: number }
  | { readonly type: 'done'; readonly frozen: FrozenEpoch; readonly began: number }
  | { readonly type: 'failed'; readonly error: unknown };

/** A freeze, with its barrier or without one. */
interface FreezeKind {
  readonly barrier: CheckpointId | undefined;
}

/** What a task has once it runs. */
export interface EpochParts {
  readonly round: TaskRound;
  readonly permit: CommitPermit;
  readonly writer: LogWriter;
  readonly atOnce: AtOnceOutputs | undefined;
  readonly store: StateStore;
  readonly inputs: Inputs;
  readonly pipeline: Pipeline;
  readonly records: ReservedRecords;
  /** Where the pipeline writes to: the first epoch. */
  readonly running: EpochEffects;
  /** Asks for a turn. */
  readonly wake: () => void;
  readonly acknowledge: (id: CheckpointId, figures: CommitFigures) => void;
  /** An error of the log, with what is known of the records that it refused. */
  readonly explain: (error: unknown, of: EpochEffects) => unknown;
}

export class TaskEpochs {
  readonly #limits: EpochLimits;
  /** Undefined where nobody reads behind a shuffle what the task puts out, or there are no rounds. */
  readonly #budget: ShuffleBudget | undefined;
  readonly #purge: RepartitionPurge;
  readonly #timerWake: TimerWake;
  readonly #commitParts: CommitParts;
  readonly #mostEpochMs: number;
  #running: EpochEffects;
  #spare = new EpochEffects();
  #epoch: Epoch = epoch(1);
  /** When the running epoch began, monotonic milliseconds. */
  #began: number;
  #commit: CommitState = { type: 'none' };
  #ending: Ending = 'none';
  #recordsIn = 0;
  #recordsOut = 0;
  /** Whether the next turn waits for others to have theirs: one does, or a task that is woken meanwhile takes more turns than the others. */
  #turnAsked = false;

  constructor(
    private readonly plan: TaskPlan,
    private readonly host: TaskHost,
    private readonly parts: EpochParts,
  ) {
    const { settings, changelog } = plan;
    const { writer, store, atOnce } = parts;
    this.#limits = new EpochLimits(Math.max(settings.state.cacheEntries, LEAST_CHANGES));
    this.#purge = new RepartitionPurge(plan, host);
    this.#timerWake = new TimerWake(host.clock, parts.wake);
    const { transactionTimeout, enabled, interval, timeout } = settings.checkpointing;
    this.#budget = enabled && plan.repartitionOutputs.length > 0 ? new ShuffleBudget(interval, timeout) : undefined;
    this.#began = host.clock.monotonic();
    this.#mostEpochMs = Math.max(LONG_EPOCH_MS, LONG_EPOCH_INTERVALS * interval);
    this.#commitParts = { task: taskName(plan), writer, store, changelog, clock: host.clock, transactionTimeoutMs: transactionTimeout, atOnce };
    this.#running = parts.running;
  }

  /** Records read since the start. */
  get recordsIn(): number {
    return this.#recordsIn;
  }

  /** Records committed since the start. */
  get recordsOut(): number {
    return this.#recordsOut;
  }

  get isCommitting(): boolean {
    return this.#commit.type === 'under-way';
  }

  /** Wakes nobody any more. */
  close(): void {
    this.#timerWake.cancel();
  }

  /**
   * Does what can be done now.
   * @returns whether nothing is left to do before the end
   * @throws what a commit, a function or a codec threw
   */
  turn(ending: Ending): boolean {
    this.#ending = ending;
    const { atOnce, pipeline } = this.parts;
    this.#takeUpCommit();
    this.#noteEndOfRound();
    const due = ending === 'at-once' ? undefined : this.#due();
    if (due !== undefined) this.#freeze(due);
    if (ending === 'none') {
      this.#process();
      this.#fireTimers();
      if (atOnce?.offer(this.#running) === true) pipeline.writeTo(this.#running);
    }
    return ending !== 'none' && this.#commit.type === 'none' && (ending === 'at-once' || !this.#hasChanges());
  }

  /** a. */
  #takeUpCommit(): void {
    if (this.#commit.type === 'failed') throw this.#commit.error;
    if (this.#commit.type !== 'done') return;
    const { frozen, began } = this.#commit;
    this.#commit = { type: 'none' };
    this.parts.pipeline.applied(frozen.epoch);
    this.parts.inputs.slices.committed();
    if (this.#ending === 'none') this.#purge.onCommitted(frozen.offsets);
    const figures = this.#report(frozen, began);
    frozen.effects.clear();
    this.#spare = frozen.effects;
    if (frozen.barrier !== undefined) this.#acknowledge(frozen.barrier, figures);
  }

  #acknowledge(id: CheckpointId, figures: CommitFigures): void {
    this.parts.round.acknowledged(id);
    this.parts.acknowledge(id, figures);
  }

  /**
   * Which freeze is due now, if one is: with the barrier that was asked for, once it is held on all inputs; or without, because it was
   * asked for, the epoch is full or it is the last one. R1 and the commit before must allow it.
   */
  #due(): FreezeKind | undefined {
    const { round } = this.parts;
    if (this.#commit.type !== 'none' || round.isBound) return undefined;
    const barrier = this.#heldBarrier();
    if (barrier !== undefined) {
      if (!isSingleStage(this.plan) || this.#hasChanges()) return { barrier };
      this.#acknowledge(barrier, { ...NO_FIGURES, stateBytes: this.parts.store.approximateSize() }); // R8
      return undefined;
    }
    const asked = round.takePlain();
    if (asked) this.#budget?.renew(); // U1
    return this.#hasChanges() && (asked || this.#ending !== 'none' || this.#isFull() || this.#isOld()) ? { barrier: undefined } : undefined;
  }

  /** The barrier that was asked for, once it has come on all inputs: a trigger is the barrier of the sources. */
  #heldBarrier(): CheckpointId | undefined {
    const { asked } = this.parts.round;
    if (asked === undefined) return undefined;
    const { alignment, holdsBroadcast } = this.parts.inputs.positions;
    return (!alignment.isNeeded || alignment.holds(asked)) && holdsBroadcast ? asked : undefined;
  }

  #hasChanges(): boolean {
    return this.parts.inputs.positions.changed || this.#running.recordsOut > 0 || this.parts.pipeline.pendingChanges > 0;
  }

  #isFull(): boolean {
    const { inputs, pipeline } = this.parts;
    const { pendingChanges } = pipeline;
    if (inputs.slices.needsCommit || this.#limits.isFull(this.#running.outputBytes, pendingChanges)) return true;
    return pendingChanges >= LEAST_CHANGES && pendingChanges >= pipeline.affordableChanges;
  }

  #isOld(): boolean {
    return this.host.clock.monotonic() - this.#began >= this.#mostEpochMs;
  }

  /** Whether more may be put out before the next barrier: see U2. */
  #isHeldBack(): boolean {
    return this.#budget?.isSpent(this.#running.bytesOut) === true && this.parts.round.asked === undefined;
  }

  #noteEndOfRound(): void {
    if (this.#budget?.isAwaiting === true && !this.parts.round.isBound) this.#budget.roundEnded(this.host.clock.monotonic());
  }

  /** b. Step 2 of a round: outputs, dirty state and input offsets of the epoch, fixed; the next epoch begins. */
  #freeze({ barrier }: FreezeKind): void {
    const { round, pipeline, records, atOnce, inputs } = this.parts;
    const { positions } = inputs;
    const now = this.host.clock.wall();
    this.#began = this.host.clock.monotonic();
    const alignmentMs = barrier === undefined ? 0 : round.alignmentMs(this.#began);
    round.frozen(barrier);
    const effects = this.#running;
    pipeline.freeze(this.#epoch, effects.changes, now);
    this.#limits.frozen(effects.changes.count, effects.changes.byteLength);
    inputs.slices.frozen();
    this.#budget?.frozen(effects.bytesOut, barrier !== undefined, this.#began);
    atOnce?.flush(effects);
    if (barrier !== undefined) this.#sendBarrier(effects, barrier, now);
    records.append(effects.changes, positions, barrier ?? round.lastBarrier, now);
    const frozen: FrozenEpoch = { epoch: this.#epoch, barrier, effects, offsets: positions.groupOffsets(), alignmentMs };
    positions.settle();
    this.#epoch = epoch(this.#epoch + 1);
    this.#running = this.#spare;
    pipeline.writeTo(this.#running);
    this.#beginCommit(frozen);
  }

  /** To every partition of its repartition topics, behind the epoch's records and in their transaction. */
  #sendBarrier(effects: EpochEffects, id: CheckpointId, now: number): void {
    for (const { topic, partitions } of this.plan.repartitionOutputs) {
      for (const writer of effects.writersOf(topic, partitions)) writeBarrier(writer, { id, writer: this.#commitParts.task }, now);
    }
  }

  #beginCommit(frozen: FrozenEpoch): void {
    const began = this.host.clock.monotonic();
    this.#commit = { type: 'under-way', frozen, began };
    const { permit, wake, explain } = this.parts;
    const settled = (commit: CommitState): void => {
      this.#commit = commit;
      wake();
    };
    commitEpoch(frozen, this.#commitParts, permit).then(
      () => settled({ type: 'done', frozen, began }),
      (error: unknown) => settled({ type: 'failed', error: explain(error, frozen.effects) }),
    );
  }

  /** c. */
  #process(): void {
    const { pipeline, store, inputs } = this.parts;
    const { positions, slices } = inputs;
    const { clock } = this.host;
    const began = clock.monotonic();
    let now = began;
    let rows = 0;
    while (rows < TURN_ROWS && now - began < TURN_MS) {
      if (this.#isFull()) {
        this.#askForRoom();
        return;
      }
      if (this.#isHeldBack()) return; // what ends that wakes the loop
      const slice = slices.take(this.#limits.sliceRows);
      if (slice === undefined) {
        if (slices.needsCommit) this.#askForRoom();
        return;
      }
      const { chunk, from, to, next } = slice;
      const count = to - from;
      pipeline.process(chunk, store, from, to);
      positions.advance(chunk.topic, chunk.partition, next, chunk.lastStable);
      this.#onBroadcastRead(chunk);
      const after = clock.monotonic();
      this.#limits.processed(slice, this.#running.outputBytes, after - now);
      now = after;
      rows += count;
      this.#running.recordsIn += count;
      this.#recordsIn += count;
    }
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    clock.after(0, this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#turnAsked = false;
    this.parts.wake();
  };

  /** Fires what is due, and sees that the loop is woken for what is due next. */
  #fireTimers(): void {
    const { pipeline, store } = this.parts;
    const hasRoom = (): boolean => !this.#isFull() && !this.#isHeldBack();
    if (pipeline.nextTimerAt !== undefined && hasRoom()) pipeline.fireTimers(TIMERS_PER_TURN, store);
    // Without room a timer that is due would wake the loop again and again: what makes room wakes it.
    this.#timerWake.setTo(pipeline.nextTimerAt !== undefined && hasRoom() ? pipeline.nextTimerAt : undefined);
  }

  #onBroadcastRead({ topic, partition }: LogChunk): void {
    const { wake, inputs } = this.parts;
    const { positions, reader } = inputs;
    const { broadcast } = positions;
    if (!broadcast.has(topic)) return;
    broadcast.holdAt({ topic, partition }, positions.nextOf(topic, partition), reader);
    wake(); // it may be what the freeze waits for
  }

  /** A full epoch commits early where R1 allows it; otherwise the end of the commit or of the round wakes the loop. */
  #askForRoom(): void {
    if (this.#commit.type === 'none' && !this.parts.round.isBound) this.parts.wake();
  }

  #report(frozen: FrozenEpoch, began: number): CommitFigures {
    const { job, subTopology, task } = this.plan;
    const { recordsIn, recordsOut } = frozen.effects;
    this.#recordsOut += recordsOut;
    const figures = figuresOf(frozen, this.host.clock.monotonic() - began, this.parts.store.approximateSize());
    const { bytes, stateChanges, durationMs } = figures;
    this.host.telemetry.emit({ type: 'task-commit', job, subTopology, task, checkpoint: frozen.barrier, recordsIn, recordsOut, stateChanges, bytes, durationMs });
    return figures;
  }
}
