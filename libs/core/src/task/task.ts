import { errors } from '../errors/errors.js';
import { type CheckpointId, checkpointId } from '../model/brands.js';
import type { EpochRecord } from '../checkpoint/epoch-record.js';
import type { TaskOverview } from '../job/job-overview.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { LogReader, LogWriter } from '../ports/log.js';
import type { StateStore } from '../ports/state-backend.js';
import { AtOnceOutputs } from './at-once-outputs.js';
import { EpochEffects } from './epoch-effects.js';
import type { InputPositions } from './input-positions.js';
import { type Inputs, openInputs } from './open-inputs.js';
import { Pipeline } from './pipeline.js';
import { RecordRetries } from './record-retries.js';
import { restore, type Restored } from './restore.js';
import { ReservedRecords } from './reserved-records.js';
import { RestoreTracker } from './restore-tracker.js';
import { Signal } from '../model/signal.js';
import type { TaskHandle, TaskHost } from './task-host.js';
import { scopeOf, taskName, type TaskPlan } from './task-plan.js';
import { asError, causeOf, type TaskEnd } from './task-end.js';
import { type Ending, TaskEpochs } from './task-epochs.js';
import { TaskRound } from './task-round.js';
import { canMoveTask, type TaskStatus } from './task-status.js';
import { explainTooLarge } from './too-large.js';

/**
 * One attempt of one task: claims its transactional id, restores, then runs its loop until it is stopped or fails. A restarted task is a
 * new Task. What it owns: its writer, store, reader, pipeline, positions. What it does not: its epochs and their commits
 * (task-epochs.ts), when rounds begin and end, whether it starts again (job/).
 *
 * Start, in this order (I3):
 *   1. if the task is this replica's, let the backend see what lies there, and claim the transactional id: ends a predecessor's open
 *      transaction and fences it (I4)
 *   2. get the permit: the task is still this replica's
 *   3. restore: changelog settled, state and epoch record read (restore.ts)
 *   4. open the user's functions, compare what they declare with what is recorded
 *   5. assign the inputs at the epoch record's offsets
 *
 * Then its loop, with one await, on a signal; what it does in a turn is in task-epochs.ts. It ends when it is told to stop and nothing is left
 * to commit, when it is abandoned, or by an error.
 */

/** Milliseconds that a restore waits for a predecessor's transaction to end, beyond the timeout of that transaction. */
const STABLE_GRACE_MS = 10_000;

export class Task implements TaskHandle {
  readonly name: string;
  readonly #signal = new Signal();
  readonly #tracker: RestoreTracker;
  readonly #transactionTimeoutMs: number;
  #status: TaskStatus = 'CREATED';
  #statusSince: number;
  #ending: Ending = 'none';

  #writer: LogWriter | undefined;
  #atOnce: AtOnceOutputs | undefined;
  #store: StateStore | undefined;
  #reader: LogReader | undefined;
  #pipeline: Pipeline | undefined;
  #positions: InputPositions | undefined;
  #epochs: TaskEpochs | undefined;
  readonly #round = new TaskRound();
  /** Why the task is to fail, by the word of its replica. */
  #doom: Error | undefined;

  constructor(
    readonly plan: TaskPlan,
    readonly attempt: number,
    private readonly host: TaskHost,
    /** Why the local store must not be used, if the attempt before found it damaged. */
    private readonly distrust?: string,
    private readonly retries = new RecordRetries(),
  ) {
    this.name = taskName(plan);
    this.#statusSince = host.clock.wall();
    this.#transactionTimeoutMs = plan.settings.checkpointing.transactionTimeout;
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
      this.host.onFailing(this);
      end = { type: 'failed', error: await causeOf(thrown, () => this.host.ownership.mayClaim(this.name)) };
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
    if (this.#isEnding) return; // it ends anyway, with what it can still commit
    this.#doom ??= error;
    this.#signal.raise();
  }

  /** Ends at once: a commit under way is waited for, what is not frozen is dropped. */
  abandon(): void {
    this.#ending = 'at-once';
    this.#signal.raise();
  }

  /** Reads no further, commits what there is once R1 allows it, and ends. */
  stop(): void {
    if (!this.#isEnding) this.#ending = 'last-commit';
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
      recordsIn: this.#epochs?.recordsIn ?? 0,
      recordsOut: this.#epochs?.recordsOut ?? 0,
      lag: this.#positions?.lag ?? 0,
      restore: this.#tracker.overview(),
    };
  }

  get #isEnding(): boolean {
    return this.#ending !== 'none';
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
    const writer = await host.log.openWriter({ transactionalId: plan.transactionalId, transactionTimeoutMs: this.#transactionTimeoutMs });
    this.#writer = writer;
    if (plan.settings.checkpointing.mode === 'AT_LEAST_ONCE') this.#atOnce = new AtOnceOutputs(await host.log.openAppender(), { wake: this.#signal.raise, explain: this.#explain });
    // 2.
    const permit = await host.ownership.permit(this.name);
    // 3.
    const restored = await this.#restore();
    if (restored === undefined) return false;
    const { store, record, catalogue } = restored;
    this.#store = store;
    this.#round.restored(record?.barrier ?? checkpointId(0));
    // 4.
    const pipeline = new Pipeline(plan, this.attempt, {
      ...host,
      retries: this.retries,
      onBarrier: (topic, partition, barrier) => {
        this.#positions!.onBarrier(topic, partition, barrier);
        this.#round.onBarrier(barrier.id, host.clock.monotonic());
        this.#signal.raise(); // it may be the one that the freeze waits for
      },
    });
    this.#pipeline = pipeline;
    const running = new EpochEffects();
    pipeline.writeTo(running);
    pipeline.sequence = record?.sequence ?? 0;
    const records = new ReservedRecords(plan, pipeline);
    records.compare(catalogue);
    await pipeline.prepare();
    pipeline.load(store, record !== undefined);
    // 5.
    const inputs = await this.#assignInputs(record);
    this.#epochs = new TaskEpochs(plan, host, {
      round: this.#round, permit, writer, atOnce: this.#atOnce, store, inputs, pipeline, records, running,
      wake: this.#signal.raise,
      acknowledge: (id, figures) => host.onAcknowledge(this, id, figures),
      explain: this.#explain,
    });
    return !this.#isEnding;
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
      onPlan: (chosen) => this.#tracker.planned(chosen),
      onProgress: (progress) => this.#tracker.progressed(progress),
      signal: this.#signal,
      isCanceled: () => this.#isEnding,
    });
  }

  async #assignInputs(record: EpochRecord | undefined): Promise<Inputs> {
    const inputs = await openInputs(this.plan, record, { ...this.host, retries: this.retries, wake: this.#signal.raise });
    this.#positions = inputs.positions;
    this.#reader = inputs.reader;
    this.#signal.raise();
    return inputs;
  }

  // ---- the loop ----

  async #loop(): Promise<void> {
    while (!this.#turn()) await this.#signal.wait();
  }

  /** True once the task has ended. */
  #turn(): boolean {
    if (this.#doom !== undefined) throw this.#doom;
    const isDone = this.#epochs!.turn(this.#ending);
    if (this.#isEnding && this.#status === 'RUNNING') this.#move('CANCELING');
    return isDone;
  }

  readonly #explain = (error: unknown, of: Parameters<typeof explainTooLarge>[1]): unknown => explainTooLarge(error, of, this.plan, (id) => this.#pipeline!.nameOfState(id));

  // ---- end ----

  /** Closes everything, whatever fails; a commit under way is waited for, so that its outcome is definite. */
  async #close(end: TaskEnd): Promise<TaskEnd> {
    this.#epochs?.close();
    const reader = this.#reader;
    this.#reader = undefined; // a trigger that comes now has nothing to resume
    while (this.#epochs?.isCommitting === true) await this.#signal.wait();
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
