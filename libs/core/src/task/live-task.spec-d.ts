import { ManualClock, RecordingTelemetry } from '@weir/testing';
import type { CommitFigures } from '../model/commit-figures.js';
import type { JobDefinition } from '../job/job-definition.js';
import { type CheckpointId, incarnation, NO_GENERATION } from '../model/brands.js';
import { CacheBudget } from '../state/cache-budget.js';
import { FakeBackend } from '../state/fake-store.spec-d.js';
import { CommitPermit, fixedMembership } from './commit-permit.js';
import { FakeLog, type FakeReader, type FakeWriter } from './fake-log.spec-d.js';
import { Task } from './task.js';
import type { TaskEnd } from './task-end.js';
import type { TaskHost } from './task-host.js';
import type { TaskPlan } from './task-plan.js';
import { plansOf, type PlanOptions } from './task-rig.spec-d.js';

/** Everything that tasks run on, faked, with what they tell written down. */
export class LiveTasks {
  readonly clock = new ManualClock();
  readonly log: FakeLog;
  readonly backend = new FakeBackend();
  readonly telemetry = new RecordingTelemetry();
  readonly permit = new CommitPermit(fixedMembership({ groupId: 'app', generation: NO_GENERATION, memberId: '' }), incarnation(0));
  /** Moves and acknowledgements, in their order. */
  readonly told: string[] = [];
  /** What the acknowledgements told. */
  readonly figures: CommitFigures[] = [];
  /** The round that is open, by the control topic. */
  openRound: CheckpointId | undefined;
  readonly plans: TaskPlan[];
  readonly host: TaskHost;

  constructor(define: JobDefinition['define'], options: PlanOptions = {}, writer: Partial<FakeWriter> = {}) {
    this.plans = plansOf(define, options);
    this.log = new FakeLog(writer);
    for (const { changelog, inputs } of this.plans) {
      this.log.setEnds(changelog.topic, changelog.partition, 0, 0);
      for (const input of inputs) for (let partition = 0; partition < input.partitions; partition++) this.log.setEnds(input.topic, partition, 0, 0);
    }
    this.host = {
      log: this.log,
      backend: this.backend,
      clock: this.clock,
      telemetry: this.telemetry,
      cacheBudget: new CacheBudget(Infinity),
      ownership: { mayClaim: () => Promise.resolve(), permit: () => Promise.resolve(this.permit) },
      openRound: () => this.openRound,
      onFailing: (task) => void this.told.push(`${task.name} fails`),
      onStatus: (task, status) => void this.told.push(`${task.name} ${status}`),
      onAcknowledge: (task, id, figures) => {
        this.told.push(`${task.name} acknowledged ${id}`);
        this.figures.push(figures);
      },
    };
  }

  /** Starts the first task and lets it come to its loop. */
  async start(attempt = 0, distrust?: string): Promise<LiveTask> {
    const task = new Task(this.plans[0]!, attempt, this.host, distrust);
    const ended = task.run();
    await this.clock.advance(0);
    return { task, ended, reader: this.log.readers.at(-1)!, writer: this.log.writers.at(-1)! };
  }

  take(): string[] {
    return this.told.splice(0);
  }
}

export interface LiveTask {
  readonly task: Task;
  readonly ended: Promise<TaskEnd>;
  readonly reader: FakeReader;
  readonly writer: FakeWriter;
}
