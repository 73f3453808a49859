import type { EndedRound } from '../control/control-record.js';
import { errors } from '../errors/errors.js';
import type { Incarnation } from '../model/brands.js';
import type { Cancel } from '../ports/clock.js';
import type { Log, TopicDescription } from '../ports/log.js';
import type { TakenInstance } from '../ports/instance-ids.js';
import type { StateBackend } from '../ports/state-backend.js';
import { Signal } from '../model/signal.js';
import type { TaskStatus } from '../task/task-status.js';
import { checkBadRecords } from '../topology/bad-record-checks.js';
import { GraphBuilder } from '../topology/stream-builder.js';
import { type CompiledSettings, compileSettings } from './compile-settings.js';
import { changelogTopic, controlTopic } from './internal-topics.js';
import type { CreateJob, Job, JobOutcome, JobPorts } from './job.js';
import { InputWatch } from './input-watch.js';
import { jobIdOf } from './job-id.js';
import type { CheckpointOverview, FailureOverview, JobOverview } from './job-overview.js';
import { cutGraph, type SubTopology } from './cut-graph.js';
import { deadLettersOf, type PlanContext, planTasks, repartitionTopicsOf, type SizedSubTopology, sizeSubTopologies, type Topics } from './job-plan.js';
import { canMoveJob, type JobStatus } from './job-status.js';
import { ensureChangelog, ensureControl, ensureOutput, ensureRepartition, type TopicsHost, untilReached, waitForInputs } from './job-topics.js';
import { type PreparedLife, Replica, type ReplicaParts } from './replica.js';

/**
 * A job in one process: from its definition to its end. It owns the order of things, and leaves each thing to its room:
 *
 *   start:  open the log -> wait for the inputs -> take an instance id -> read the control topic, which says in which life the job is
 *           -> create what is missing -> plan the tasks -> open the backend -> run the replica
 *   while running: the replica runs tasks and takes part in rounds (replica.ts)
 *   resumed after its state was deleted: the replica ends -> backend -> all of the start again, but for the log and the instance id
 *   stop:   the replica takes its last commits and ends -> backend -> log -> instance id
 */
export const createJob: CreateJob = (name, definition, settings, ports) => {
  const compiled = compileSettings(settings);
  const builder = new GraphBuilder(name);
  definition.define(builder);
  const graph = builder.build();
  checkBadRecords(graph, compiled.badRecords);
  return new StreamJob(name, cutGraph(graph), compiled, ports);
};

/** Failures that an overview remembers, as many as Flink's web.exception-history-size. */
const FAILURE_HISTORY = 16;
/** Milliseconds that a replica may wait for its group before it says so. */
const GROUP_PATIENCE_MS = 2_000;
const CANCELLED = 'the job was cancelled, and runs again when it is told to';

class StreamJob implements Job {
  readonly ended: Promise<JobOutcome>;
  readonly #id: string;
  readonly #signal = new Signal();
  #resolveEnded!: (outcome: JobOutcome) => void;
  #status: JobStatus = 'CREATED';
  #statusSince: number;
  readonly #startedAt: number;
  #reason: string | undefined;
  #stopping = false;
  #failure: Error | undefined;
  /** The replica has no plan of the life that the job is to run in now. */
  #isOutdated = false;
  #hasEnded = false;
  #log: Log | undefined;
  #backend: StateBackend | undefined;
  #instance: TakenInstance | undefined;
  #cancelPatience: Cancel | undefined;
  #replica: Replica | undefined;
  #watch: InputWatch | undefined;
  #checkpoints: Omit<CheckpointOverview, 'history'> = { completed: 0, failed: 0, latest: undefined };
  #failures: readonly FailureOverview[] = [];

  constructor(
    readonly name: string,
    private readonly subTopologies: readonly SubTopology[],
    private readonly settings: CompiledSettings,
    private readonly ports: JobPorts,
  ) {
    this.#id = jobIdOf(settings.applicationId, name);
    this.#startedAt = this.#statusSince = ports.clock.wall();
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  start(): void {
    if (this.#status !== 'CREATED') return;
    this.#move('INITIALIZING');
    void this.#run();
  }

  async stop(deadlineMs: number): Promise<JobOutcome> {
    if (!this.#stopping) {
      this.#stopping = true;
      if (this.#status === 'CREATED') this.#end({ status: 'CANCELED' });
      this.#signal.raise();
      const cancel = this.ports.clock.after(deadlineMs, () => this.#giveUpStopping(deadlineMs));
      void this.ended.then(cancel);
    }
    return this.ended;
  }

  cancel(): Promise<void> {
    return this.#command('cancel');
  }

  resume(): Promise<void> {
    return this.#command('start');
  }

  #command(command: 'cancel' | 'start'): Promise<void> {
    return this.#replica?.command(command) ?? Promise.reject(errors.jobNotReached({ job: this.name, command, status: this.#status }));
  }

  isReady(): boolean {
    return this.#status === 'RUNNING';
  }

  overview(): JobOverview {
    const { applicationId, maxParallelism } = this.settings;
    const tasks = (this.#replica?.tasks ?? []).map((task) => task.overview());
    const placements = this.#replica?.placements ?? [];
    return {
      id: this.#id,
      name: this.name,
      applicationId,
      status: this.#status,
      reason: this.#reason,
      startedAt: this.#startedAt,
      statusSince: this.#statusSince,
      parallelism: placements.length,
      maxParallelism,
      tasks,
      placements,
      replicas: this.#replica?.replicas ?? [],
      standbys: this.#replica?.standbys ?? [],
      checkpoints: { ...this.#checkpoints, history: this.#replica?.rounds.overview() ?? [] },
      failures: this.#failures,
    };
  }

  // ---- the course of the job ----

  async #run(): Promise<void> {
    let failure: Error | undefined;
    try {
      await this.#startUp();
      while (!this.#stopping && this.#failure === undefined) {
        if (this.#isOutdated) await this.#beginAnew();
        else await this.#signal.wait();
      }
      failure = this.#failure;
    } catch (thrown) {
      failure = thrown instanceof Error ? thrown : new Error(String(thrown));
    }
    await this.#shutDown(failure);
  }

  async #startUp(): Promise<void> {
    const { ports } = this;
    const log = await untilReached(this.#topicsHost(), () => ports.log.open({ clock: ports.clock, clientId: this.settings.applicationId }));
    if (log === undefined) return;
    this.#log = log;
    this.#sayIfOff();
    await this.#begin(log);
  }

  async #begin(log: Log): Promise<void> {
    const { ports, subTopologies, settings } = this;
    const topics = this.#topicsHost();
    const sources = await waitForInputs(log, [...new Set(subTopologies.flatMap(({ sources: own, broadcasts }) => [...own, ...broadcasts].map((source) => source.topic.topic)))], topics);
    if (sources === undefined) return;
    const sized = sizeSubTopologies(subTopologies, { job: this.name, settings }, sources);
    if ((await ensureControl(log, controlTopic(settings.applicationId), topics)) === undefined) return;
    let plans: PreparedLife['plans'] = [];
    const prepare = async (life: Incarnation): Promise<PreparedLife | undefined> => {
      const context: PlanContext = { job: this.name, settings, incarnation: life };
      const written = await this.#ensureTopics(log, sized, context, topics);
      if (written === undefined) return undefined;
      plans = planTasks(sized, context, new Map([...sources, ...written]));
      this.#backend ??= await ports.state.open(plans.length);
      return { plans, backend: this.#backend };
    };
    this.#replica = await untilReached(topics, async () => {
      const instanceId = await this.#instanceId();
      return Replica.start({ ...ports, ...this.#replicaEvents(), settings, instanceId, log }, prepare);
    });
    if (this.#replica === undefined) return;
    this.#cancelPatience = ports.clock.after(GROUP_PATIENCE_MS, () => this.#sayIfOutside(topics));
    this.#watch = new InputWatch(plans, log, ports.clock, (error) => this.#onFailure(undefined, error));
    this.#onTaskStatus('RUNNING'); // they may be faster
  }

  /** As for the first time: what the former life had is deleted. */
  async #beginAnew(): Promise<void> {
    this.#cancelPatience?.();
    this.#watch?.close();
    const former = this.#replica;
    this.#replica = undefined; // commands are refused until there is another
    await former?.stop();
    this.#isOutdated = false;
    await this.#backend?.close();
    this.#backend = undefined;
    await this.#begin(this.#log!);
  }

  /** That it is idle for a good reason is not to look like a fault. */
  #sayIfOutside(topics: TopicsHost): void {
    const { group } = this.settings;
    if (group === undefined || this.#status !== 'INITIALIZING' || this.#stopping || this.#replica?.replicas.length !== 0) return;
    topics.onWaiting(
      `waiting for the group to say what this replica is to run: one that died is waited for until its session has ended (${group.sessionTimeout} ms), ` +
        'and when the first one joins, a broker waits for group.initial.rebalance.delay.ms',
    );
  }

  /** Under which name it takes part in the group; undefined where there is none, and without a group. */
  async #instanceId(): Promise<string | undefined> {
    const { group, applicationId } = this.settings;
    if (group === undefined || group.instanceId === 'none') return undefined;
    if (group.instanceId !== undefined) return group.instanceId;
    this.#instance ??= await this.ports.state.instances?.take(applicationId);
    return this.#instance?.instanceId;
  }

  #sayIfOff(): void {
    const { enabled, interval } = this.settings.checkpointing;
    if (enabled) return;
    const message =
      `checkpointing is off: every task commits its offsets, state and output by itself, each ${interval} ms, in one transaction. ` +
      'No record is lost or repeated for it, but there is no moment at which the states of all tasks fit each other, ' +
      'and tasks may differ in how far they have read a broadcast stream.';
    this.ports.telemetry.emit({ type: 'job-notice', job: this.name, message });
  }

  #replicaEvents(): Pick<ReplicaParts, 'onTaskStatus' | 'onAssigned' | 'onTaskFailed' | 'onFailure' | 'onRoundEnd' | 'onDesired' | 'onHeld' | 'onOutdated'> {
    return {
      onTaskStatus: (_, status) => this.#onTaskStatus(status),
      onAssigned: () => this.#onTaskStatus('RUNNING'),
      onTaskFailed: (task, error) => this.#onTaskFailed(task, error),
      onFailure: (task, error) => this.#onFailure(task, error),
      onRoundEnd: (round) => this.#onRoundEnd(round),
      onDesired: (shouldRun) => this.#onDesired(shouldRun),
      onHeld: () => this.#onHeld(),
      onOutdated: () => {
        this.#isOutdated = true;
        this.#signal.raise();
      },
    };
  }

  /** Topics that the job writes, created where they are missing; undefined if it was stopped meanwhile. */
  async #ensureTopics(log: Log, sized: readonly SizedSubTopology[], context: PlanContext, host: TopicsHost): Promise<Topics | undefined> {
    const wanted = [
      ...sized.flatMap(({ sinks, partitions }) => sinks.map(({ topic }) => () => ensureOutput(log, topic.topic, partitions, host))),
      ...sized.flatMap((sub) => deadLettersOf(sub, context).map((topic) => () => ensureOutput(log, topic, sub.partitions, host))),
      ...sized.map(({ index, parallelism }) => () => ensureChangelog(log, changelogTopic(this.settings.applicationId, context.incarnation, index), parallelism, host)),
      ...repartitionTopicsOf(sized, context).map(({ topic, partitions }) => () => ensureRepartition(log, topic, partitions, host)),
    ];
    const topics = new Map<string, TopicDescription>();
    for (const ensure of wanted) {
      const found = await ensure();
      if (found === undefined) return undefined;
      topics.set(found.topic, found);
    }
    return topics;
  }

  async #shutDown(failure: Error | undefined): Promise<void> {
    this.#cancelPatience?.();
    if (this.#hasEnded) return;
    if (failure !== undefined) this.#move('FAILING', failure.message);
    else if (this.#status !== 'CANCELED') this.#move('CANCELLING');
    this.#watch?.close();
    await this.#replica?.stop();
    const closed = await this.#closeAdapters();
    const error = failure ?? this.#failure ?? closed;
    this.#end(error === undefined ? { status: 'CANCELED' } : { status: 'FAILED', error });
  }

  /** The first error, if closing fails. */
  async #closeAdapters(): Promise<Error | undefined> {
    let first: Error | undefined;
    for (const adapter of [this.#backend, this.#log, this.#instance]) {
      try {
        await adapter?.close();
      } catch (thrown) {
        first ??= thrown instanceof Error ? thrown : new Error(String(thrown));
      }
    }
    return first;
  }

  /** The bound of a stop: whatever still runs is left to the end of the process; what it has not committed is replayed next time. */
  #giveUpStopping(deadlineMs: number): void {
    if (this.#hasEnded) return;
    const error = errors.stopTimedOut({ job: this.name, deadlineMs });
    this.#end({ status: 'FAILED', error: this.#failure ?? error });
  }

  #end(outcome: JobOutcome): void {
    if (this.#hasEnded) return;
    const reason = outcome.status === 'FAILED' ? outcome.error.message : undefined;
    if (outcome.status === 'FAILED' && this.#status !== 'FAILING') this.#move('FAILING', reason);
    this.#hasEnded = true;
    this.#move(outcome.status, reason);
    this.#resolveEnded(outcome);
  }

  // ---- what tasks and rounds tell ----

  #onTaskStatus(status: TaskStatus): void {
    if (status === 'RUNNING' && !this.#stopping && this.#replica?.isRunning === true) this.#move('RUNNING');
  }

  /** I8: the tasks end or run again by themselves; what is shown follows. A replica that shuts down says only that. */
  #onDesired(shouldRun: boolean): void {
    if (this.#stopping || this.#failure !== undefined) return;
    if (!shouldRun) {
      if (this.#status !== 'CANCELED') this.#move('CANCELLING', CANCELLED);
      return;
    }
    if (this.#status === 'CANCELLING') this.#move('CANCELED');
    if (this.#status === 'CANCELED') this.#move('INITIALIZING');
  }

  #onHeld(): void {
    if (!this.#stopping && this.#status === 'CANCELLING') this.#move('CANCELED', CANCELLED);
  }

  #onTaskFailed(task: string, error: Error): void {
    this.#remember(task, error);
    if (this.#status === 'RUNNING' || this.#status === 'INITIALIZING') this.#move('RESTARTING', error.message);
    else this.#reason = error.message;
  }

  #onFailure(task: string | undefined, error: Error): void {
    this.#remember(task, error);
    this.#failure ??= error;
    this.#signal.raise();
  }

  #remember(task: string | undefined, error: Error): void {
    this.#failures = [{ at: this.ports.clock.wall(), task, message: error.message }, ...this.#failures].slice(0, FAILURE_HISTORY);
  }

  #onRoundEnd({ id, outcome, durationMs }: EndedRound): void {
    const { clock, telemetry } = this.ports;
    const { completed, failed, latest } = this.#checkpoints;
    if (outcome === 'completed') {
      const bytes = this.#replica!.tasks.reduce((sum, task) => sum + task.stateBytes, 0);
      this.#checkpoints = { completed: completed + 1, failed, latest: { id, completedAt: clock.wall(), durationMs, bytes } };
      telemetry.emit({ type: 'checkpoint-completed', job: this.name, checkpoint: id, durationMs });
    } else {
      this.#checkpoints = { completed, failed: failed + (outcome === 'timed-out' ? 1 : 0), latest };
      telemetry.emit({ type: 'checkpoint-failed', job: this.name, checkpoint: id, outcome, durationMs });
    }
  }

  #topicsHost(): TopicsHost {
    const { clock, telemetry } = this.ports;
    return {
      job: this.name,
      clock,
      telemetry,
      internalTopics: { ...this.settings.internalTopics, replicationFactor: this.settings.replicationFactor },
      isCanceled: () => this.#stopping,
      onWaiting: (reason) => {
        if (reason !== undefined && reason !== this.#reason) telemetry.emit({ type: 'job-waiting', job: this.name, reason });
        this.#reason = reason;
      },
    };
  }

  #move(to: JobStatus, reason?: string): void {
    const from = this.#status;
    if (from === to) return;
    if (!canMoveJob(from, to)) throw errors.invariantBroken({ invariant: 'job lifecycle', facts: `${this.name} moves from ${from} to ${to}` });
    this.#status = to;
    this.#statusSince = this.ports.clock.wall();
    this.#reason = reason;
    this.ports.telemetry.emit({ type: 'job-status', job: this.name, from, to, ...(reason === undefined ? {} : { reason }) });
  }
}
