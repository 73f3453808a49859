import type { CommitFigures } from '../model/commit-figures.js';
import { CONTROL_VERSION, type ControlRecord, type EndedRound, type TaskReport, type TriggeredRound } from '../control/control-record.js';
import { ControlTopic } from '../control/control-topic.js';
import { type CheckpointId, incarnation, NO_GENERATION } from '../model/brands.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { StateBackend } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import { CommitPermit, type Ownership } from '../task/commit-permit.js';
import type { Task } from '../task/task.js';
import type { TaskHandle, TaskHost } from '../task/task-host.js';
import { taskName, type TaskPlan } from '../task/task-plan.js';
import type { TaskStatus } from '../task/task-status.js';
import { CheckpointCoordinator } from './checkpoint-coordinator.js';
import type { CompiledSettings } from './compile-settings.js';
import { controlTopic, coordinatorId, groupId } from './internal-topics.js';
import { RoundFollower } from './round-follower.js';
import { RoundHistory } from './round-history.js';
import { TaskSlots } from './task-slots.js';

/**
 * One replica of a job: the process's tasks, and what joins them to the others. It brings together the control topic, the slots that
 * run tasks, the follower that brings them rounds, and the coordinator.
 *
 *   control topic --rounds--> follower --triggers, ends--> tasks --acknowledgements, statuses--> reports --> control topic
 *        ^                                                                                                       |
 *        +------------------------------rounds------ coordinator <-----------------------------------------------+
 *
 *   start:  read the control topic to its end -> tasks run -> coordinate
 *   stop:   abandon the open round -> tasks take their last commit and close -> no more reports
 *
 * It owns every task by itself: each permit is granted once the control topic was read, and commits carry no group generation.
 *
 * Invariants
 *   I3. A task's permit is given only when the control topic has been read to the end that it had after the task's claim.
 *   P1. Where the newest report of a task of this replica is another's, which came late, it reports again: at most once an interval, for
 *       two replicas may hold the same task for true until one of them is fenced.
 */
export interface ReplicaParts {
  readonly settings: CompiledSettings;
  readonly plans: readonly TaskPlan[];
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  onTaskStatus(task: TaskHandle, status: TaskStatus): void;
  /** It restarts by itself. */
  onTaskFailed(task: string, error: Error): void;
  /** The job cannot go on. */
  onFailure(task: string | undefined, error: Error): void;
  onRoundEnd(round: EndedRound): void;
}

const FIRST_LIFE = incarnation(0);

export class Replica {
  readonly rounds = new RoundHistory();
  readonly #id: string;
  readonly #slots: TaskSlots;
  readonly #follower: RoundFollower;
  readonly #coordinator: CheckpointCoordinator;
  readonly #control: ControlTopic;

  private constructor(
    private readonly parts: ReplicaParts,
    open: (onChange: (record: ControlRecord) => void) => ControlTopic,
  ) {
    const { plans, clock, telemetry, settings } = parts;
    this.#id = clock.newId();
    this.#control = open((record) => this.#onControl(record));
    this.#slots = new TaskSlots(plans, {
      clock,
      telemetry,
      taskHost: this.#taskHost(),
      onTaskFailed: (task, error) => parts.onTaskFailed(task, error),
      onGiveUp: (task, error) => parts.onFailure(task, error),
    });
    const { enabled, interval } = settings.checkpointing;
    this.#follower = new RoundFollower({
      clock,
      rounds: enabled,
      intervalMs: interval,
      tasks: () => this.#slots.tasks,
      openRound: () => this.#openRound(),
      onTick: () => this.#reportAgain(),
    });
    this.#coordinator = this.#makeCoordinator();
  }

  /** @throws WeirError as the log throws them; `invalid` CONTROL_RECORD_UNREADABLE */
  static async start(parts: ReplicaParts): Promise<Replica> {
    let onChange: (record: ControlRecord) => void = () => undefined;
    const { log, clock, settings } = parts;
    const control = await ControlTopic.open({
      log,
      clock,
      topic: controlTopic(settings.applicationId),
      onChange: (record) => onChange(record),
      onFailure: (error) => parts.onFailure(undefined, error),
    });
    const replica = new Replica(parts, (listen) => {
      onChange = listen;
      return control;
    });
    replica.#slots.start();
    replica.#follower.start();
    replica.#coordinator.lead();
    return replica;
  }

  /** Latest attempts of its tasks. */
  get tasks(): readonly Task[] {
    return this.#slots.tasks;
  }

  /** Whether every one of its tasks runs. */
  get isRunning(): boolean {
    return this.#slots.running().length === this.#slots.count;
  }

  /** Takes the last commits and ends; never rejects. */
  async stop(): Promise<void> {
    this.#follower.close();
    // Beside the tasks, not before them: should the log not answer, they are to know that they stop.
    await Promise.all([this.#coordinator.close(), this.#slots.stop()]);
    await this.#control.close();
  }

  #taskHost(): TaskHost {
    const { log, backend, clock, telemetry } = this.parts;
    return {
      log,
      backend,
      clock,
      telemetry,
      ownership: this.#ownership(),
      openRound: () => this.#openRound()?.id,
      onFailing: (task) => this.#report(task, 'DOWN', task.lastBarrier),
      onStatus: (task, status) => this.#onTaskStatus(task, status),
      onAcknowledge: (task, id, figures) => this.#report(task, 'RUNNING', id, figures),
    };
  }

  #ownership(): Ownership {
    const membership = { groupId: groupId(this.parts.settings.applicationId), generation: NO_GENERATION, memberId: '' };
    const permit = new CommitPermit(membership, FIRST_LIFE);
    return {
      mayClaim: () => Promise.resolve(),
      permit: async () => {
        await this.#control.readToEnd(); // I3
        return permit;
      },
    };
  }

  #makeCoordinator(): CheckpointCoordinator {
    const { clock, log, settings, plans } = this.parts;
    const { enabled, interval, minPause, timeout, transactionTimeout, tolerableFailedCheckpoints } = settings.checkpointing;
    return new CheckpointCoordinator({
      clock,
      log,
      control: this.#control,
      controlTopic: controlTopic(settings.applicationId),
      transactionalId: coordinatorId(settings.applicationId),
      transactionTimeoutMs: transactionTimeout,
      enabled,
      intervalMs: interval,
      minPauseMs: minPause,
      timeoutMs: timeout,
      tolerableFailures: tolerableFailedCheckpoints,
      owners: () => new Map(plans.map((plan) => [taskName(plan), this.#id])),
      broadcastEnds: broadcastEndsOf(log, plans),
      mayClaim: () => Promise.resolve(),
      onFailure: (error) => this.parts.onFailure(undefined, error),
    });
  }

  #openRound(): TriggeredRound | undefined {
    const { round } = this.#control.view;
    return round?.type === 'triggered' ? round : undefined;
  }

  // ---- what tasks tell ----

  #onTaskStatus(task: TaskHandle, status: TaskStatus): void {
    if (status === 'RUNNING') {
      this.#report(task, 'RUNNING', task.lastBarrier);
      this.#follower.onTaskRunning(task);
    }
    if (status === 'CANCELED') this.#report(task, 'DOWN', task.lastBarrier);
    this.parts.onTaskStatus(task, status);
  }

  #report(task: TaskHandle, status: TaskReport['status'], barrier: CheckpointId, figures?: CommitFigures): void {
    const report = { version: CONTROL_VERSION, task: task.name, replica: this.#id, status, barrier, at: this.parts.clock.wall() } as const;
    this.#control.report(figures === undefined ? report : { ...report, figures });
  }

  // ---- what the control topic tells ----

  #onControl(record: ControlRecord): void {
    this.rounds.take(record);
    if (record.type === 'round') {
      const { round } = record;
      this.#follower.onRound(round);
      if (round.type === 'ended') this.parts.onRoundEnd(round);
    }
    this.#coordinator.onChange();
  }

  /** P1. */
  #reportAgain(): void {
    const { view } = this.#control;
    for (const task of this.#slots.running()) {
      const newest = view.reportOf(task.name);
      if (newest !== undefined && newest.replica !== this.#id) this.#report(task, 'RUNNING', task.lastBarrier);
    }
  }
}

/** Asks for the ends of all partitions that every task reads; undefined if there are none. */
function broadcastEndsOf(log: Log, plans: readonly TaskPlan[]): (() => Promise<readonly PartitionOffset[]>) | undefined {
  const inputs = new Map(plans.flatMap((plan) => plan.inputs).flatMap((input) => (input.type === 'broadcast' ? [[input.topic, input.partitions] as const] : [])));
  const partitions = [...inputs].flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })));
  if (partitions.length === 0) return undefined;
  return async () => (await log.endPositions(partitions)).map(({ topic, partition, lastStable }) => ({ topic, partition, offset: lastStable }));
}
