import { failuresAfter, nextStep, type RoundStep, type TaskFacts } from '../checkpoint/round.js';
import { type CommandRecord, CONTROL_VERSION, type DeletedState, type DesiredRecord, type RoundOutcome, type RoundRecord, writeDesired, writeRound } from '../control/control-record.js';
import type { ControlTopic } from '../control/control-topic.js';
import { isWeirError } from '../errors/weir-error.js';
import { type CheckpointId, checkpointId, type Incarnation, incarnation } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import { type Clock, sleep } from '../ports/clock.js';
import type { Log, LogWriter } from '../ports/log.js';
import { Signal } from '../model/signal.js';
import { deleteState } from './state-deletion.js';

/**
 * The coordinator of a job: the one replica that writes rounds into the control topic. It decides by checkpoint/round.ts, from what the
 * topic says, so it has no memory that its successor lacks; and it learns what it wrote by reading it, as every other replica does.
 *
 *   IDLE --lead()--> CLAIMING --claimed, control topic read to its end--> ACTING
 *                      ^  |                                                |
 *                      |  +--the log cannot be reached: again, later       |
 *                      +------fenced, or the log fails: again, later-------+
 *   any --close()--> CLOSING --an open round is abandoned, if it may still write--> CLOSED
 *
 * Invariants
 *   C1. It is fenced by its own transactional id: whoever claimed it last alone can write rounds.
 *   C2. After the claim it reads the control topic to its end before it acts: no predecessor can add anything behind that.
 *   C3. One step at a time: what it wrote is in its view before it decides again (I5).
 *   C4. A command is carried out before anything else, and once: the record of the desired state names it (I8). A successor carries out what
 *       is pending; of several the newest. Of a job that is not to run no round is triggered, and an open one is abandoned. Only the
 *       deletion of the state that a cancellation asks for goes before, and is ended by whoever coordinates then (state-deletion.ts).
 */
export interface CoordinatorHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly control: ControlTopic;
  readonly controlTopic: string;
  readonly transactionalId: string;
  readonly transactionTimeoutMs: number;
  /** False: it triggers nothing, and abandons what is open from a time when it did. */
  readonly enabled: boolean;
  readonly intervalMs: number;
  readonly minPauseMs: number;
  readonly timeoutMs: number;
  /** Rounds in a row that may time out before the tasks that hold them up restart. */
  readonly tolerableFailures: number;
  /** Every task of the job, with the replica that has it now; undefined for one that nobody has. */
  owners(): ReadonlyMap<string, string | undefined>;
  /** Where the broadcast partitions end now (R9); undefined for a job that has none. */
  readonly broadcastEnds: (() => Promise<readonly PartitionOffset[]>) | undefined;
  /** Resolves once it is certain that this replica is to coordinate, now: a zombie must not fence its successor. */
  mayClaim(): Promise<void>;
  /** What a life of the job has in the log, to be deleted when it is cancelled; undefined if that is retained. */
  readonly deletedOnCancel: ((life: Incarnation) => DeletedState) | undefined;
  onNotice(message: string): void;
  /** Something that no waiting mends. */
  onFailure(error: Error): void;
}

/** Milliseconds before the id is claimed again after a failure. */
const RETRY_MS = 500;

export class CheckpointCoordinator {
  readonly #signal = new Signal();
  readonly #scratch = new RecordWriter();
  #leads = false;
  #closed = false;
  #run: Promise<void> | undefined;
  /** The open round and since when this coordinator knows of it. */
  #open: { readonly id: CheckpointId; readonly since: number } | undefined;
  #triggeredAt = Number.NEGATIVE_INFINITY;
  #endedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly host: CoordinatorHost) {}

  /** Begins to coordinate, until `resign` or `close`. Idempotent. */
  lead(): void {
    if (this.#closed) return;
    this.#leads = true;
    this.#run ??= this.#lead().finally(() => {
      this.#run = undefined;
    });
  }

  /** Another replica coordinates: ends without writing anything. */
  resign(): void {
    this.#leads = false;
    this.#signal.raise();
  }

  /** Abandons the open round, so that tasks may take their last commit, and writes nothing more. Resolves when that is done. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#signal.raise();
    await this.#run;
  }

  /** The view or the owners have changed. */
  onChange(): void {
    this.#signal.raise();
  }

  async #lead(): Promise<void> {
    const { host } = this;
    this.#triggeredAt = host.clock.monotonic();
    while (this.#leads && !this.#closed) {
      let writer: LogWriter | undefined;
      try {
        await host.mayClaim();
        writer = await host.log.openWriter({ transactionalId: host.transactionalId, transactionTimeoutMs: host.transactionTimeoutMs }); // C1
        await host.control.readToEnd(); // C2
        await this.#act(writer);
      } catch (thrown) {
        if (this.#closed) return;
        if (isWeirError(thrown, 'invalid') || isWeirError(thrown, 'internal')) {
          host.onFailure(thrown);
          return;
        }
        await sleep(host.clock, RETRY_MS);
      } finally {
        await writer?.close().catch(() => undefined); // the successor's claim ends what is open
      }
    }
  }

  async #act(writer: LogWriter): Promise<void> {
    while (this.#leads && !this.#closed) {
      const { desired, pendingCommand: command } = this.host.control.view;
      if (desired?.deletes !== undefined) {
        await this.#delete(writer, desired, desired.deletes);
        continue;
      }
      if (command !== undefined) {
        await this.#carryOut(writer, command);
        continue;
      }
      const step = this.#decide();
      if (step.type === 'wait') await this.#wait(step.until);
      else await this.#write(writer, await this.#recordOf(step));
    }
    const { round } = this.host.control.view;
    if (this.#leads && round?.type === 'triggered') await this.#write(writer, this.#ended(round.id, 'abandoned'));
  }

  #decide(): RoundStep {
    const { enabled, clock, control, intervalMs, minPauseMs, timeoutMs } = this.host;
    const now = clock.monotonic();
    const { round } = control.view;
    if (round?.type !== 'triggered') this.#open = undefined;
    else if (this.#open?.id !== round.id) this.#open = { id: round.id, since: now };
    return nextStep({
      enabled: enabled && control.view.shouldRun,
      round: round === undefined ? undefined : { id: round.id, isOpen: round.type === 'triggered' },
      tasks: this.#tasks(),
      now,
      openSince: this.#open?.since ?? now,
      dueAt: Math.max(this.#triggeredAt + intervalMs, this.#endedAt + minPauseMs),
      timeoutMs,
    });
  }

  #tasks(): TaskFacts[] {
    const { view } = this.host.control;
    return [...this.host.owners()].map(([task, owner]) => {
      const report = view.reportOf(task);
      return { isUp: report?.status === 'RUNNING' && report.replica === owner, barrier: report?.barrier ?? checkpointId(0) };
    });
  }

  async #wait(until: number | undefined): Promise<void> {
    const { clock } = this.host;
    const cancel = until === undefined ? undefined : clock.after(Math.max(0, until - clock.monotonic()), this.#signal.raise);
    await this.#signal.wait();
    cancel?.();
  }

  async #recordOf(step: Exclude<RoundStep, { readonly type: 'wait' }>): Promise<RoundRecord | undefined> {
    if (step.type === 'end') return this.#ended(step.id, step.outcome);
    const { broadcastEnds, clock } = this.host;
    const ends = broadcastEnds === undefined ? [] : await broadcastEnds();
    // Asking takes time: what has happened meanwhile is looked at again.
    const again = this.#decide();
    if (again.type !== 'trigger' || again.id !== step.id || this.#closed) return undefined;
    return { version: CONTROL_VERSION, type: 'triggered', id: step.id, at: clock.wall(), broadcastEnds: ends, ...counted(this.#failures) };
  }

  /** C4. The tasks end or start as their replicas read it. */
  async #carryOut(writer: LogWriter, { id, command }: CommandRecord): Promise<void> {
    const { control, deletedOnCancel, clock } = this.host;
    const { incarnation: life } = control.view;
    const deletes = command === 'cancel' ? deletedOnCancel?.(life) : undefined;
    const state = command === 'start' ? 'running' : 'cancelled';
    const record = { version: CONTROL_VERSION, state, command: id, at: clock.wall(), ...inLife(deletes === undefined ? life : incarnation(life + 1)) } as const;
    await this.#append(writer, (out) => writeDesired(out, deletes === undefined ? record : { ...record, deletes }));
  }

  /** Of state-deletion.ts, steps 2 to 5. */
  async #delete(writer: LogWriter, desired: DesiredRecord, deletes: DeletedState): Promise<void> {
    const { control, clock } = this.host;
    const isDone = await deleteState(deletes, {
      ...this.host,
      areTasksUp: () => this.#tasks().some(({ isUp }) => isUp),
      wait: (until) => this.#wait(until),
      mayClaim: () => this.host.mayClaim(),
      goesOn: () => this.#leads && !this.#closed && control.view.desired === desired,
      onNotice: (message) => this.host.onNotice(message),
    });
    if (!isDone) return;
    const { deletes: _, ...rest } = desired;
    await this.#append(writer, (out) => writeDesired(out, { ...rest, at: clock.wall() })); // 5.
  }

  /** Rounds in a row that have timed out, by the newest round. */
  get #failures(): number {
    return this.host.control.view.round?.failures ?? 0;
  }

  #ended(id: CheckpointId, outcome: RoundOutcome): RoundRecord {
    const { clock, tolerableFailures } = this.host;
    const { failures, failsOver } = failuresAfter(outcome, this.#failures, tolerableFailures);
    const restart = failsOver ? { restart: this.#without(id) } : {};
    const durationMs = Math.max(0, clock.monotonic() - (this.#open?.since ?? clock.monotonic()));
    return { version: CONTROL_VERSION, type: 'ended', id, at: clock.wall(), outcome, durationMs, ...counted(failures), ...restart };
  }

  /** Tasks that have not committed barrier `id`, as far as is known. */
  #without(id: CheckpointId): string[] {
    const { host } = this;
    return [...host.owners().keys()].filter((task) => (host.control.view.reportOf(task)?.barrier ?? 0) < id);
  }

  async #write(writer: LogWriter, record: RoundRecord | undefined): Promise<void> {
    if (record === undefined) return;
    const { clock } = this.host;
    const began = clock.monotonic();
    await this.#append(writer, (out) => writeRound(out, record), () => {
      if (record.type === 'triggered') this.#triggeredAt = Math.max(this.#triggeredAt + this.host.intervalMs, began - this.host.intervalMs);
      else this.#endedAt = clock.monotonic();
    });
  }

  /** Resolves once what was written is in the view (C3). @param onCommitted before that */
  async #append(writer: LogWriter, write: (out: RecordWriter) => void, onCommitted: () => void = () => undefined): Promise<void> {
    const { control, controlTopic } = this.host;
    this.#scratch.clear();
    write(this.#scratch);
    const transaction = writer.begin();
    const [written] = await transaction.append([{ topic: controlTopic, partition: 0, records: this.#scratch.columns }]);
    await transaction.commit();
    onCommitted();
    await control.reached(written!.nextOffset); // C3
  }
}

/** Left out of the record where there are none. */
const counted = (failures: number): { readonly failures?: number } => (failures === 0 ? {} : { failures });

/** Left out of the record in the first life. */
const inLife = (life: Incarnation): { readonly incarnation?: Incarnation } => (life === 0 ? {} : { incarnation: life });
