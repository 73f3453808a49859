import { errors } from '../errors/errors.js';
import type { CommitFigures } from '../model/commit-figures.js';
import { CONTROL_VERSION, type ControlRecord, type EndedRound, type TaskReport, type TriggeredRound } from '../control/control-record.js';
import { ControlTopic } from '../control/control-topic.js';
import { type CheckpointId, type Incarnation, NO_GENERATION } from '../model/brands.js';
import type { GroupReplica, MemberOrders } from '../assignment/member-orders.js';
import type { PartitionOffset, TopicPartition } from '../model/topic-partition.js';
import type { Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { StateBackend } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import { CacheBudget } from '../state/cache-budget.js';
import { CommitPermit, fixedMembership, type Ownership } from '../task/commit-permit.js';
import type { Task } from '../task/task.js';
import type { TaskHandle, TaskHost } from '../task/task-host.js';
import { ownedPartitions, taskName, type TaskPlan } from '../task/task-plan.js';
import type { TaskStatus } from '../task/task-status.js';
import { CheckpointCoordinator } from './checkpoint-coordinator.js';
import type { CompiledSettings } from './compile-settings.js';
import { GroupSeat } from './group-seat.js';
import { JobCommands } from './job-commands.js';
import { controlTopic, coordinatorId, groupId } from './internal-topics.js';
import { dropLocalState, formerLives } from './local-state.js';
import { RoundFollower } from './round-follower.js';
import { RoundHistory } from './round-history.js';
import type { ReplicaOverview, StandbyOverview, TaskPlacement } from './job-overview.js';
import { Standbys } from './standbys.js';
import { replicaOverviews, taskPlacements } from './task-placements.js';
import { stateOf } from './state-deletion.js';
import { TaskSlots } from './task-slots.js';

/**
 * One replica of a job: the process's tasks, and what joins them to the others. It brings together the control topic, the slots that
 * run tasks, the follower that brings them rounds, and the coordinator.
 *
 *   control topic --rounds--> follower --triggers, ends--> tasks --acknowledgements, statuses--> reports --> control topic
 *        ^                                                                                                       |
 *        +------------------------------rounds------ coordinator <-----------------------------------------------+
 *
 *   start:  read the control topic -> join the group -> run the tasks that it says, coordinate if it says so
 *   stop:   abandon the open round, if it coordinates -> tasks take their last commit and close -> leave the group -> no more reports
 *
 * A job whose settings name no group has one replica: it has every task, coordinates, and commits in nobody's name.
 *
 * Invariants
 *   I3. A task's permit is given only when the control topic has been read to the end that it had after the task's claim.
 *       Its plan must be of the incarnation that the topic names then.
 *   I8. A job that was cancelled has no task that runs, on any replica, until the control topic says that it is to run again; whoever starts
 *       meanwhile reads that before it takes its seat. Replicas keep their seats, and the tasks that are theirs. Where the cancellation
 *       deletes the state (state-deletion.ts) they keep them until it is to run again: then this replica ends, and another takes its place.
 *   P1. Where the newest report of a task of this replica is another's, which came late, it reports again: at most once an interval, for
 *       two replicas may hold the same task for true until one of them is fenced.
 */
export interface ReplicaParts {
  readonly settings: CompiledSettings;
  /** Under which it takes part in the group; undefined: as a dynamic member. */
  readonly instanceId: string | undefined;
  /** Where it is reached by HTTP. */
  readonly url?: (() => string | undefined) | undefined;
  readonly plans: readonly TaskPlan[];
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
  onTaskStatus(task: TaskHandle, status: TaskStatus): void;
  /** The group has told the replica its tasks, or taken them away. */
  onAssigned(): void;
  /** It restarts by itself. */
  onTaskFailed(task: string, error: Error): void;
  /** The job cannot go on. */
  onFailure(task: string | undefined, error: Error): void;
  onRoundEnd(round: EndedRound): void;
  /** The job is to run from now on, or not to run. */
  onDesired(shouldRun: boolean): void;
  /** It is not to run, and every task of this replica has ended. */
  onHeld(): void;
  /** It is to run again, in a life that this replica has no plan of: another one is to take its place. Nothing of this one runs any more. */
  onOutdated(): void;
}

/** What depends on the life of the job that a replica runs. */
export interface PreparedLife {
  readonly plans: readonly TaskPlan[];
  readonly backend: StateBackend;
}

/** Milliseconds that a coordinator may take to end once it has nothing to do any more, and standbys: nothing waits for what they do. */
const GRACE_MS = 500;

export class Replica {
  readonly rounds = new RoundHistory();
  readonly #id: string;
  readonly #slots: TaskSlots;
  readonly #follower: RoundFollower;
  readonly #coordinator: CheckpointCoordinator;
  readonly #control: ControlTopic;
  readonly #commands: JobCommands;
  #seat: GroupSeat | undefined;
  /** Undefined where no copies are to be kept. */
  readonly #standbys: Standbys | undefined;
  /** Which replica has each task of the job. */
  #owners = new Map<string, string | undefined>();
  /** Everybody in the group, by the last orders; undefined while they are not known. */
  #group: readonly GroupReplica[] | undefined;
  /** Its tasks, as they were said last. */
  #said: string | undefined;
  readonly #life: Incarnation;
  /** The end of the life that this replica has a plan of: its tasks ended, its stores deleted. */
  #lifeEnded: Promise<void> | undefined;
  /** Stores of former lives are being deleted. */
  #dropping: Promise<void> = Promise.resolve();

  private constructor(
    private readonly parts: ReplicaParts,
    open: (onChange: (record: ControlRecord) => void) => ControlTopic,
  ) {
    const { plans, clock, telemetry, settings } = parts;
    this.#id = clock.newId();
    this.#life = plans[0]!.incarnation;
    this.#control = open((record) => this.#onControl(record));
    this.#standbys = this.#keepStandbys();
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
    this.#commands = new JobCommands({ clock, replica: this.#id, append: (command) => this.#control.command(command) });
  }

  /**
   * @param prepare plans a life of the job; undefined if it was stopped meanwhile, and then this gives undefined, too
   * @throws WeirError as the log throws them; `invalid` CONTROL_RECORD_UNREADABLE; what `prepare` throws
   */
  static async start(parts: Omit<ReplicaParts, keyof PreparedLife>, prepare: (life: Incarnation) => Promise<PreparedLife | undefined>): Promise<Replica | undefined> {
    let onChange: (record: ControlRecord) => void = () => undefined;
    const { log, clock, settings } = parts;
    const control = await ControlTopic.open({
      log,
      clock,
      topic: controlTopic(settings.applicationId),
      onChange: (record) => onChange(record),
      onFailure: (error) => parts.onFailure(undefined, error),
    });
    const prepared = await prepareFor(control, prepare);
    if (prepared === undefined) {
      await control.close();
      return undefined;
    }
    const replica = new Replica({ ...parts, ...prepared }, (listen) => {
      onChange = listen;
      return control;
    });
    replica.#follower.start();
    replica.#dropping = replica.#dropStores(formerLives(replica.#life));
    if (!control.view.shouldRun) replica.#obey();
    replica.#takeSeat();
    return replica;
  }

  /** Latest attempts of its tasks. */
  get tasks(): readonly Task[] {
    return this.#slots.tasks;
  }

  /** Every task of the job, and which replica has it. */
  get placements(): readonly TaskPlacement[] {
    const own = this.#slots.tasks.map((task) => task.overview());
    return taskPlacements({ plans: this.parts.plans, own, replica: this.#id, replicas: this.#group, reportOf: (task) => this.#control.view.reportOf(task) });
  }

  /** Everybody in the group. */
  get replicas(): readonly ReplicaOverview[] {
    return replicaOverviews(this.#group ?? [], this.#id);
  }

  get standbys(): readonly StandbyOverview[] {
    return this.#standbys?.overview() ?? [];
  }

  /** Whether it knows its tasks, and every one of them runs. */
  get isRunning(): boolean {
    return this.#seat?.isSettled !== false && this.#slots.areRunning;
  }

  /** Whether the job is to run, as far as the control topic was read (I8). */
  get shouldRun(): boolean {
    return this.#control.view.shouldRun;
  }

  /** Asks the coordinator, wherever it is: see JobCommands. */
  command(command: 'start' | 'cancel'): Promise<void> {
    return this.#commands.give(command);
  }

  /** Takes the last commits and ends; never rejects. */
  async stop(): Promise<void> {
    this.#follower.close();
    // Beside the tasks: they need the end of the open round for their last commit (R1), and nobody needs it once they have ended. A log
    // that does not answer must not keep the replica, so the control topic is closed first, and then the coordinator is not waited for long.
    const coordinated = this.#coordinator.close();
    await this.#slots.stop();
    this.#group = undefined;
    if (this.#standbys !== undefined) await this.#settled(this.#standbys.close());
    await this.#settled(Promise.all([this.#lifeEnded, this.#dropping]));
    await this.#seat?.leave();
    this.#commands.close();
    await this.#control.close();
    await this.#settled(coordinated);
  }

  #settled(ending: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.parts.clock.after(GRACE_MS, resolve);
      void ending.then(() => {
        cancel();
        resolve();
      });
    });
  }

  #takeSeat(): void {
    const { settings, plans, log, clock } = this.parts;
    const { group, applicationId } = settings;
    if (group === undefined) {
      for (const name of this.#slots.names) {
        this.#owners.set(name, this.#id);
        this.#slots.start(name);
      }
      this.#coordinator.lead();
      return;
    }
    const inputs = plans.flatMap((plan) => plan.inputs).filter(({ type }) => type === 'source');
    this.#seat = new GroupSeat({
      log,
      clock,
      groupId: groupId(applicationId),
      settings: group,
      instanceId: this.parts.instanceId,
      url: () => this.parts.url?.(),
      replica: this.#id,
      incarnation: this.#life,
      subTopologies: bySubTopology(plans),
      topics: [...new Set(inputs.map(({ topic }) => topic))],
      standbys: this.#standbys === undefined ? 0 : group.standbys,
      copies: () => this.#standbys?.report ?? [],
      partitionsOf: (task) => partitionsOf(plans.find((plan) => taskName(plan) === task)),
      start: (task) => this.#slots.start(task),
      close: (task) => this.#slots.close(task).then(() => this.#standbys?.settle(task)),
      drop: (task) => this.#slots.drop(task).then(() => this.#standbys?.settle(task)),
      onOrders: (orders) => this.#onOrders(orders),
      onFailure: (error) => this.parts.onFailure(undefined, error),
    });
  }

  #onOrders(orders: MemberOrders | undefined): void {
    const replicas = orders?.replicas ?? [];
    this.#group = orders?.replicas;
    this.#owners = new Map(this.#slots.names.map((name) => [name, undefined]));
    for (const { replica, run } of replicas) for (const task of run) this.#owners.set(task, replica);
    if (orders !== undefined) this.#standbys?.obey(orders); // those of a replica that was counted out go on: they are in nobody's way
    if (orders?.refused !== undefined) this.parts.onFailure(undefined, errors.replicaRefused({ problem: orders.refused }));
    if (replicas.some(({ replica, isLeader }) => isLeader && replica === this.#id)) this.#coordinator.lead();
    else this.#coordinator.resign();
    this.#coordinator.onChange();
    if (orders !== undefined) this.#sayTasks(orders.run);
    this.parts.onAssigned();
  }

  #sayTasks(run: readonly string[]): void {
    const { instanceId, telemetry, plans } = this.parts;
    const tasks = run.length === 0 ? 'no task' : `task${run.length === 1 ? '' : 's'} ${run.join(', ')}`;
    if (this.#said === tasks) return;
    this.#said = tasks;
    const names = [...(instanceId === undefined ? [] : [`instance ${instanceId}`]), `member ${this.#seat?.memberId ?? 'unknown'}`];
    telemetry.emit({ type: 'job-notice', job: plans[0]!.job, message: `replica ${this.#id} (${names.join(', ')}) has ${tasks} of ${this.#slots.names.length}` });
  }

  #keepStandbys(): Standbys | undefined {
    const { settings, plans, log, backend, clock, telemetry } = this.parts;
    const wanted = settings.group?.standbys ?? 0;
    if (wanted === 0) return undefined;
    if (backend.kind !== 'filesystem') return new Standbys(plans, { backend, log, clock, telemetry, isBusy: (task) => this.#slots.isBusy(task) });
    const message = `group.standbys is ${wanted}, and no copies are kept: the state of backend filesystem is in snapshots, which every replica reads when it takes a task over.`;
    telemetry.emit({ type: 'job-notice', job: plans[0]!.job, message });
    return undefined;
  }

  #taskHost(): TaskHost {
    const { log, backend, clock, telemetry } = this.parts;
    return {
      log,
      backend: this.#standbys ?? backend,
      clock,
      telemetry,
      cacheBudget: new CacheBudget(this.parts.settings.state.cacheBytes),
      ownership: this.#ownership(),
      openRound: () => this.#openRound()?.id,
      onFailing: (task) => this.#report(task, 'DOWN', task.lastBarrier),
      onStatus: (task, status) => this.#onTaskStatus(task, status),
      onAcknowledge: (task, id, figures) => this.#report(task, 'RUNNING', id, figures),
    };
  }

  #ownership(): Ownership {
    const alone = new CommitPermit(fixedMembership({ groupId: groupId(this.parts.settings.applicationId), generation: NO_GENERATION, memberId: '' }), this.#life);
    return {
      mayClaim: (task) => this.#seat?.confirm(task) ?? Promise.resolve(),
      permit: async (task) => {
        await this.#control.readToEnd(); // I3
        if (!this.shouldRun) throw errors.permitRevoked({ task, reason: 'the job was cancelled' }); // I8
        if (this.#isOutdated) throw errors.permitRevoked({ task, reason: 'the state of its life was deleted, and the job begins anew' }); // F2
        return this.#seat?.permit(task) ?? alone;
      },
    };
  }

  #makeCoordinator(): CheckpointCoordinator {
    const { clock, log, settings, plans } = this.parts;
    const { enabled, interval, minPause, timeout, transactionTimeout, tolerableFailedCheckpoints, externalizedCheckpointRetention } = settings.checkpointing;
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
      owners: () => this.#owners,
      broadcastEnds: broadcastEndsOf(log, plans),
      mayClaim: () => this.#seat?.confirmMembership() ?? Promise.resolve(),
      deletedOnCancel: externalizedCheckpointRetention === 'DELETE_ON_CANCELLATION' ? (life) => stateOf(plans, life) : undefined,
      onNotice: (message) => this.#say(message),
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
    if (record.type === 'desired') this.#obey();
    this.#commands.take(record);
    this.#coordinator.onChange();
  }

  /** I8. */
  #obey(): void {
    const { shouldRun } = this;
    if (this.#isOutdated) {
      this.parts.onDesired(false);
      void this.#endLife().then(() => this.#onLifeEnded(shouldRun));
      return;
    }
    this.parts.onDesired(shouldRun);
    if (shouldRun) {
      this.#slots.release();
      this.parts.onAssigned();
    } else void this.#slots.hold().then(() => this.parts.onHeld());
  }

  /** Whether the control topic names another life than the one that this replica has a plan of. */
  get #isOutdated(): boolean {
    return this.#control.view.incarnation !== this.#life;
  }

  /** Each replica's part of a deletion. */
  #endLife(): Promise<void> {
    this.#lifeEnded ??= this.#slots
      .hold()
      .then(() => this.#standbys?.close())
      .then(() => this.#dropStores([this.#life]));
    return this.#lifeEnded;
  }

  #onLifeEnded(shouldRun: boolean): void {
    this.parts.onHeld();
    if (!shouldRun) return;
    this.parts.onDesired(true);
    this.parts.onOutdated();
  }

  #dropStores(lives: readonly Incarnation[]): Promise<void> {
    const { plans, backend } = this.parts;
    return dropLocalState(plans, lives, backend, (message) => this.#say(message));
  }

  #say(message: string): void {
    const { telemetry, plans } = this.parts;
    telemetry.emit({ type: 'job-notice', job: plans[0]!.job, message });
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

/** Of the life that the control topic names once it is planned: it may become another one meanwhile. */
async function prepareFor(control: ControlTopic, prepare: (life: Incarnation) => Promise<PreparedLife | undefined>): Promise<PreparedLife | undefined> {
  try {
    for (;;) {
      const life = control.view.incarnation;
      const prepared = await prepare(life);
      if (prepared === undefined || life === control.view.incarnation) return prepared;
    }
  } catch (thrown) {
    await control.close();
    throw thrown;
  }
}

function bySubTopology(plans: readonly TaskPlan[]): string[][] {
  const names: string[][] = [];
  for (const plan of plans) (names[plan.subTopology] ??= []).push(taskName(plan));
  return names;
}

/** What the log's own tools show as the task's: broadcast inputs, which every task reads, are nobody's. */
function partitionsOf(plan: TaskPlan | undefined): TopicPartition[] {
  if (plan === undefined) return [];
  const own = plan.inputs.filter(({ type }) => type !== 'broadcast');
  return own.flatMap((input) => ownedPartitions(plan, input).map((partition) => ({ topic: input.topic, partition })));
}

/** Asks for the ends of all partitions that every task reads; undefined if there are none. */
function broadcastEndsOf(log: Log, plans: readonly TaskPlan[]): (() => Promise<readonly PartitionOffset[]>) | undefined {
  const inputs = new Map(plans.flatMap((plan) => plan.inputs).flatMap((input) => (input.type === 'broadcast' ? [[input.topic, input.partitions] as const] : [])));
  const partitions = [...inputs].flatMap(([topic, count]) => Array.from({ length: count }, (_, partition) => ({ topic, partition })));
  if (partitions.length === 0) return undefined;
  return async () => (await log.endPositions(partitions)).map(({ topic, partition, lastStable }) => ({ topic, partition, offset: lastStable }));
}
