import { writeBarrier } from '../checkpoint/barrier.js';
import { type CommitFigures, NO_FIGURES } from '../model/commit-figures.js';
import { errors } from '../errors/errors.js';
import { type CheckpointId, checkpointId, type Epoch, epoch } from '../model/brands.js';
import type { TaskOverview } from '../job/job-overview.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { LogChunk, LogReader, LogWriter } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import { AtOnceOutputs } from './at-once-outputs.js';
import { commitEpoch, figuresOf, type FrozenEpoch } from './commit.js';
import type { CommitPermit } from './commit-permit.js';
import { EpochEffects } from './epoch-effects.js';
import { type ChunkSlices, EpochLimits } from './epoch-limits.js';
import type { InputPositions } from './input-positions.js';
import { openInputs } from './open-inputs.js';
import { Pipeline } from './pipeline.js';
import { RepartitionPurge } from './repartition-purge.js';
import { restore, type Restored } from './restore.js';
import { ReservedRecords } from './reserved-records.js';
import { RestoreTracker } from './restore-tracker.js';
import { Signal } from '../model/signal.js';
import type { TaskHandle, TaskHost } from './task-host.js';
import { isSingleStage, scopeOf, taskName, type TaskPlan } from './task-plan.js';
import { asError, type TaskEnd } from './task-end.js';
import { TaskRound } from './task-round.js';
import { canMoveTask, type TaskStatus } from './task-status.js';
import { TimerWake } from './timer-wake.js';
import { explainTooLarge } from './too-large.js';

/**
 * One attempt of one task: claims its transactional id, restores, then runs its loop until it is stopped or fails. A restarted task is a
 * new Task. What it owns: its writer, store, reader, pipeline, positions. What it does not: when rounds begin and end, whether it starts
 * again (job/).
 *
 * Start, in this order (I3):
 *   1. if the task is this replica's, let the backend see what lies there, and claim the transactional id: ends a predecessor's open
 *      transaction and fences it (I4)
 *   2. get the permit: the task is still this replica's
 *   3. restore: changelog settled, state and epoch record read (restore.ts)
 *   4. open the user's functions, compare what they declare with what is recorded
 *   5. assign the inputs at the epoch record's offsets
 *
 * The loop has one await, on a signal. Each turn, without awaiting:
 *   a. takes up the result of a commit
 *   b. freezes the running epoch and begins its commit, if one is due and allowed (see `#due`)
 *   c. processes fetched chunks, slice by slice within a budget, unless the epoch is full (epoch-limits.ts)
 *   d. ends, if it is to stop and nothing is left to commit
 * The commit (commit.ts) runs beside the loop, so the next epoch computes while the last one is written.
 *
 * Rules of the checkpoint protocol kept here (design, section 5):
 *   R1. From the freeze with barrier n to the end of n, nothing is committed (task-round.ts, and R3). No transaction is open between
 *       commits either, for an epoch's effects are sent as part of its commit.
 *   R8. A trigger finds nothing changed: it is acknowledged without a transaction.
 *   One commit at a time; a frozen epoch commits as it stands, whatever became of its round.
 */

/** Rows processed before other tasks and I/O get their turn. */
const TURN_ROWS = 20_000;
/** Milliseconds that a restore waits for a predecessor's transaction to end, beyond the timeout of that transaction. */
const STABLE_GRACE_MS = 10_000;
/** Timers fired in a turn, per operator, before records get theirs. */
const TIMERS_PER_TURN = 1_000;

type CommitState =
  | { readonly type: 'none' }
  | { readonly type: 'under-way'; readonly frozen: FrozenEpoch; readonly began: number }
  | { readonly type: 'done'; readonly frozen: FrozenEpoch; readonly began: number }
  | { readonly type: 'failed'; readonly error: unknown };

/** A freeze, with its barrier or without one. */
interface FreezeKind {
  readonly barrier: CheckpointId | undefined;
}

export class Task implements TaskHandle {
  readonly name: string;
  readonly #signal = new Signal();
  readonly #tracker: RestoreTracker;
  readonly #purge: RepartitionPurge;
  readonly #transactionTimeoutMs: number;
  #status: TaskStatus = 'CREATED';
  #statusSince: number;
  #stopping = false;
  #abandoned = false;

  #writer: LogWriter | undefined;
  #atOnce: AtOnceOutputs | undefined;
  #store: StateStore | undefined;
  #reader: LogReader | undefined;
  #pipeline: Pipeline | undefined;
  #permit!: CommitPermit;
  #records: ReservedRecords | undefined;
  #positions: InputPositions | undefined;

  #running = new EpochEffects();
  #spare = new EpochEffects();
  readonly #limits: EpochLimits;
  #slices: ChunkSlices | undefined;
  #epoch: Epoch = epoch(1);
  #commit: CommitState = { type: 'none' };
  readonly #round = new TaskRound();
  /** Why the task is to fail, by the word of its replica. */
  #doom: Error | undefined;
  readonly #timerWake: TimerWake;
  #recordsIn = 0;
  #recordsOut = 0;
  /** Whether the next turn waits for others to have theirs: one does, or a task that is woken meanwhile takes more turns than the others. */
  #turnAsked = false;

  constructor(
    readonly plan: TaskPlan,
    readonly attempt: number,
    private readonly host: TaskHost,
    /** Why the local store must not be used, if the attempt before found it damaged. */
    private readonly distrust?: string,
  ) {
    this.name = taskName(plan);
    this.#statusSince = host.clock.wall();
    this.#timerWake = new TimerWake(host.clock, this.#signal.raise);
    this.#transactionTimeoutMs = plan.settings.checkpointing.transactionTimeout;
    this.#limits = new EpochLimits(Math.max(plan.settings.state.cacheEntries, TURN_ROWS));
    this.#purge = new RepartitionPurge(plan, host);
    this.#tracker = new RestoreTracker({ job: plan.job, subTopology: plan.subTopology, task: plan.task }, host.clock, host.telemetry);
  }

  get status(): TaskStatus {
    return this.#status;
  }

  /** The last barrier that the task has committed. */
  get lastBarrier(): CheckpointId {
    return this.#round.lastBarrier;
  }

  /** Bytes of state kept by the store, roughly. */
  get stateBytes(): number {
    return this.#store?.approximateSize() ?? 0;
  }

  /** Runs the attempt to its end; never rejects. */
  async run(): Promise<TaskEnd> {
    let end: TaskEnd;
    try {
      this.#move('INITIALIZING');
      const started = await this.#initialize();
      if (started) {
        this.#round.join(this.host.openRound()); // R3
        this.#move('RUNNING');
        await this.#loop();
      }
      if (this.#status !== 'CANCELING') this.#move('CANCELING');
      end = { type: 'canceled' };
    } catch (thrown) {
      end = { type: 'failed', error: asError(thrown) };
      this.host.onFailing(this);
    }
    end = await this.#close(end);
    this.#move(end.type === 'canceled' ? 'CANCELED' : 'FAILED');
    return end;
  }

  /** Asks for the commit that carries barrier `id`. @param broadcastEnds how far broadcast inputs are to be read for it (R9) */
  trigger(id: CheckpointId, broadcastEnds: readonly PartitionOffset[] = []): void {
    if (!this.#round.trigger(id, this.host.clock.monotonic())) return; // R3
    if (this.#reader !== undefined) this.#positions?.broadcast.raise(broadcastEnds, this.#reader);
    this.#signal.raise();
  }

  /** Asks for a commit without a barrier: what running tasks do while another one is down (R4). */
  commitPlain(): void {
    this.#round.askPlain();
    this.#signal.raise();
  }

  /** Round `id` was recorded as complete or abandoned: ends the window of R1. A barrier not frozen yet is dropped with it. */
  endRound(id: CheckpointId): void {
    this.#round.end(id);
    this.#signal.raise();
  }

  /** Drops what is not committed and ends with this error. */
  fail(error: Error): void {
    if (this.#stopping) return; // it ends anyway, with what it can still commit
    this.#doom ??= error;
    this.#signal.raise();
  }

  /** Ends at once: a commit under way is waited for, what is not frozen is dropped. */
  abandon(): void {
    this.#abandoned = true;
    this.stop();
  }

  /** Reads no further, commits what there is once R1 allows it, and ends. */
  stop(): void {
    this.#stopping = true;
    this.#signal.raise();
  }

  overview(): TaskOverview {
    const { subTopology, task } = this.plan;
    return {
      subTopology,
      task,
      status: this.#status,
      statusSince: this.#statusSince,
      attempt: this.attempt,
      recordsIn: this.#recordsIn,
      recordsOut: this.#recordsOut,
      lag: this.#positions?.lag ?? 0,
      restore: this.#tracker.overview(),
    };
  }

  #move(to: TaskStatus): void {
    const from = this.#status;
    if (!canMoveTask(from, to)) throw errors.invariantBroken({ invariant: 'task lifecycle', facts: `${this.name} moves from ${from} to ${to}` });
    this.#status = to;
    this.#statusSince = this.host.clock.wall();
    const { job, subTopology, task } = this.plan;
    this.host.telemetry.emit({ type: 'task-status', job, subTopology, task, from, to });
    this.host.onStatus(this, to);
  }

  // ---- start ----

  /** False if it was stopped meanwhile. */
  async #initialize(): Promise<boolean> {
    const { plan, host } = this;
    // 1.
    await host.ownership.mayClaim(this.name);
    await host.backend.beforeClaim?.(scopeOf(plan));
    this.#writer = await host.log.openWriter({ transactionalId: plan.transactionalId, transactionTimeoutMs: this.#transactionTimeoutMs });
    if (plan.settings.checkpointing.mode === 'AT_LEAST_ONCE') this.#atOnce = new AtOnceOutputs(await host.log.openAppender(), { wake: this.#signal.raise, explain: this.#explain });
    // 2.
    this.#permit = await host.ownership.permit(this.name);
    // 3.
    const restored = await this.#restore();
    if (restored === undefined) return false;
    this.#store = restored.store;
    this.#round.restored(restored.record?.barrier ?? checkpointId(0));
    // 4.
    this.#pipeline = new Pipeline(plan, this.attempt, {
      ...host,
      onBarrier: (topic, partition, barrier) => {
        this.#positions!.onBarrier(topic, partition, barrier);
        this.#round.onBarrier(barrier.id, host.clock.monotonic());
        this.#signal.raise(); // it may be the one that the freeze waits for
      },
    });
    this.#pipeline.writeTo(this.#running);
    this.#pipeline.sequence = restored.record?.sequence ?? 0;
    this.#records = new ReservedRecords(plan, this.#pipeline);
    this.#records.compare(restored.catalogue);
    await this.#pipeline.prepare();
    this.#pipeline.load(this.#store, restored.record !== undefined);
    // 5.
    await this.#assignInputs(restored);
    return !this.#stopping;
  }

  #restore(): Promise<Restored | undefined> {
    const { plan, host } = this;
    return restore({
      log: host.log,
      backend: host.backend,
      clock: host.clock,
      distrust: this.distrust,
      scope: scopeOf(plan),
      changelog: plan.changelog,
      stableTimeoutMs: this.#transactionTimeoutMs + STABLE_GRACE_MS,
      onPlan: (chosen) => this.#tracker.planned(chosen, host.backend.kind),
      onProgress: (progress) => this.#tracker.progressed(progress),
      signal: this.#signal,
      isCanceled: () => this.#stopping,
    });
  }

  async #assignInputs({ record }: Restored): Promise<void> {
    const { positions, reader, slices } = await openInputs(this.plan, record, this.host, this.#signal.raise);
    this.#positions = positions;
    this.#reader = reader;
    this.#slices = slices;
    this.#signal.raise();
  }

  // ---- the loop ----

  async #loop(): Promise<void> {
    while (!this.#turn()) await this.#signal.wait();
  }

  /** True once the task has ended. */
  #turn(): boolean {
    if (this.#doom !== undefined) throw this.#doom;
    this.#takeUpCommit();
    const due = this.#abandoned ? undefined : this.#due();
    if (due !== undefined) this.#freeze(due);
    if (!this.#stopping) {
      this.#process();
      this.#fireTimers();
      if (this.#atOnce?.offer(this.#running) === true) this.#pipeline!.writeTo(this.#running);
    }
    if (this.#stopping && this.#status === 'RUNNING') this.#move('CANCELING');
    return this.#stopping && this.#commit.type === 'none' && (this.#abandoned || !this.#hasChanges());
  }

  /** a. */
  #takeUpCommit(): void {
    if (this.#commit.type === 'failed') throw this.#commit.error;
    if (this.#commit.type !== 'done') return;
    const { frozen, began } = this.#commit;
    this.#commit = { type: 'none' };
    this.#pipeline!.applied(frozen.epoch);
    if (!this.#stopping) this.#purge.onCommitted(frozen.offsets);
    const figures = this.#report(frozen, began);
    frozen.effects.clear();
    this.#spare = frozen.effects;
    if (frozen.barrier !== undefined) this.#acknowledge(frozen.barrier, figures);
  }

  #acknowledge(id: CheckpointId, figures: CommitFigures): void {
    this.#round.acknowledged(id);
    this.host.onAcknowledge(this, id, figures);
  }

  /**
   * Which freeze is due now, if one is: with the barrier that was asked for, once it is held on all inputs; or without, because it was
   * asked for, the epoch is full or it is the last one. R1 and the commit before must allow it.
   */
  #due(): FreezeKind | undefined {
    if (this.#commit.type !== 'none' || this.#round.isBound) return undefined;
    const barrier = this.#heldBarrier();
    if (barrier !== undefined) {
      if (!isSingleStage(this.plan) || this.#hasChanges()) return { barrier };
      this.#acknowledge(barrier, NO_FIGURES); // R8
      return undefined;
    }
    const asked = this.#round.takePlain();
    return this.#hasChanges() && (asked || this.#stopping || this.#isFull()) ? { barrier: undefined } : undefined;
  }

  /** The barrier that was asked for, once it has come on all inputs: a trigger is the barrier of the sources. */
  #heldBarrier(): CheckpointId | undefined {
    const { asked } = this.#round;
    if (asked === undefined) return undefined;
    const { alignment, holdsBroadcast } = this.#positions!;
    return (!alignment.isNeeded || alignment.holds(asked)) && holdsBroadcast ? asked : undefined;
  }

  #hasChanges(): boolean {
    return this.#positions!.changed || this.#running.recordsOut > 0 || this.#pipeline!.pendingChanges > 0;
  }

  #isFull(): boolean {
    return this.#limits.isFull(this.#running.outputBytes, this.#pipeline!.pendingChanges);
  }

  /** b. Step 2 of a round: outputs, dirty state and input offsets of the epoch, fixed; the next epoch begins. */
  #freeze({ barrier }: FreezeKind): void {
    const now = this.host.clock.wall();
    const alignmentMs = barrier === undefined ? 0 : this.#round.alignmentMs(this.host.clock.monotonic());
    this.#round.frozen(barrier);
    const effects = this.#running;
    this.#pipeline!.freeze(this.#epoch, effects.changes, now);
    this.#limits.frozen(effects.changes.count, effects.changes.byteLength);
    this.#atOnce?.flush(effects);
    if (barrier !== undefined) this.#sendBarrier(effects, barrier, now);
    this.#records!.append(effects.changes, this.#positions!, barrier ?? this.#round.lastBarrier, now);
    const frozen: FrozenEpoch = { epoch: this.#epoch, barrier, effects, offsets: this.#positions!.groupOffsets(), alignmentMs };
    this.#positions!.settle();
    this.#epoch = epoch(this.#epoch + 1);
    this.#running = this.#spare;
    this.#pipeline!.writeTo(this.#running);
    this.#beginCommit(frozen);
  }

  /** To every partition of its repartition topics, behind the epoch's records and in their transaction. */
  #sendBarrier(effects: EpochEffects, id: CheckpointId, now: number): void {
    for (const { topic, partitions } of this.plan.repartitionOutputs) {
      for (const writer of effects.writersOf(topic, partitions)) writeBarrier(writer, { id, writer: this.name }, now);
    }
  }

  #beginCommit(frozen: FrozenEpoch): void {
    const { clock } = this.host;
    const began = clock.monotonic();
    this.#commit = { type: 'under-way', frozen, began };
    const parts = {
      task: this.name,
      writer: this.#writer!,
      store: this.#store!,
      changelog: this.plan.changelog,
      clock,
      transactionTimeoutMs: this.#transactionTimeoutMs,
      atOnce: this.#atOnce,
    };
    const settled = (commit: CommitState): void => {
      this.#commit = commit;
      this.#signal.raise();
    };
    commitEpoch(frozen, parts, this.#permit).then(
      () => settled({ type: 'done', frozen, began }),
      (error: unknown) => settled({ type: 'failed', error: this.#explain(error, frozen.effects) }),
    );
  }

  readonly #explain = (error: unknown, of: Parameters<typeof explainTooLarge>[1]): unknown => explainTooLarge(error, of, this.plan, (id) => this.#pipeline!.nameOfState(id));

  /** c. */
  #process(): void {
    const positions = this.#positions!;
    let rows = 0;
    while (rows < TURN_ROWS) {
      if (this.#isFull()) {
        this.#askForRoom();
        return;
      }
      const slice = this.#slices!.take(this.#limits.sliceRows);
      if (slice === undefined) return;
      const { chunk, from, to, next } = slice;
      const count = to - from;
      this.#pipeline!.process(chunk, this.#store!, from, to);
      positions.advance(chunk.topic, chunk.partition, next, chunk.lastStable);
      this.#onBroadcastRead(chunk);
      this.#limits.processed(slice, this.#running.outputBytes);
      rows += count;
      this.#running.recordsIn += count;
      this.#recordsIn += count;
    }
    if (this.#turnAsked) return;
    this.#turnAsked = true;
    this.host.clock.after(0, this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#turnAsked = false;
    this.#signal.raise();
  };

  /** Fires what is due, and sees that the loop is woken for what is due next. */
  #fireTimers(): void {
    const pipeline = this.#pipeline!;
    if (pipeline.nextTimerAt !== undefined && !this.#isFull()) pipeline.fireTimers(TIMERS_PER_TURN, this.#store!);
    this.#timerWake.setTo(pipeline.nextTimerAt);
  }

  #onBroadcastRead({ topic, partition }: LogChunk): void {
    const { broadcast } = this.#positions!;
    if (!broadcast.has(topic)) return;
    broadcast.holdAt({ topic, partition }, this.#positions!.nextOf(topic, partition), this.#reader!);
    this.#signal.raise(); // it may be what the freeze waits for
  }

  /** A full epoch commits early where R1 allows it; otherwise the end of the commit or of the round wakes the loop. */
  #askForRoom(): void {
    if (this.#commit.type === 'none' && !this.#round.isBound) this.#signal.raise();
  }

  #report(frozen: FrozenEpoch, began: number): CommitFigures {
    const { job, subTopology, task } = this.plan;
    const { recordsIn, recordsOut } = frozen.effects;
    this.#recordsOut += recordsOut;
    const figures = figuresOf(frozen, this.host.clock.monotonic() - began);
    const { bytes, stateChanges, durationMs } = figures;
    this.host.telemetry.emit({ type: 'task-commit', job, subTopology, task, checkpoint: frozen.barrier, recordsIn, recordsOut, stateChanges, bytes, durationMs });
    return figures;
  }

  // ---- end ----

  /** Closes everything, whatever fails; a commit under way is waited for, so that its outcome is definite. */
  async #close(end: TaskEnd): Promise<TaskEnd> {
    this.#timerWake.cancel();
    const reader = this.#reader;
    this.#reader = undefined; // a trigger that comes now has nothing to resume
    while (this.#commit.type === 'under-way') await this.#signal.wait();
    const closers = [
      () => reader?.close(),
      () => this.#pipeline?.close(),
      () => this.#atOnce?.close(),
      () => this.#writer?.close(), // aborts an open transaction
      () => this.#store?.close(),
    ];
    let result = end;
    for (const close of closers) {
      try {
        await close();
      } catch (thrown) {
        if (result.type === 'canceled') result = { type: 'failed', error: asError(thrown) };
      }
    }
    return result;
  }
}
