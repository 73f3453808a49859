import { InMemoryCluster, JobTestDriver, type JobTestOptions, LIFELIKE, ManualClock, SeededRandom } from '@weir/testing';
import type { JobDefinition } from './job-definition.js';
import type { JobSettings } from './settings.js';

export const SESSION_MS = 1_000;
const SETTINGS = {
  checkpointing: { interval: 100, transactionTimeout: 10_000 },
  restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 },
  group: { sessionTimeout: SESSION_MS, rebalanceTimeout: 2_000, handoverTimeout: 3_000 },
} as const;

/** What replicas work on, and what must come of it. */
export interface Work {
  readonly definition: JobDefinition;
  readonly topics: Readonly<Record<string, number>>;
  readonly outputs: readonly string[];
  /** Tasks of all stages together. */
  readonly tasks: number;
  pipe(driver: JobTestDriver, records: number): void;
  isDone(driver: JobTestDriver): boolean;
  verify(driver: JobTestDriver): void;
}

export interface ReplicaOptions extends Pick<JobTestOptions, 'state' | 'log'> {
  readonly standbys?: number;
  readonly checkpointing?: JobSettings['checkpointing'];
}

/** Replicas of a job on one cluster, each with a disk of its own. */
export class ReplicaSet {
  readonly drivers: JobTestDriver[] = [];
  readonly random: SeededRandom;
  #start!: (replica: number) => void;

  private constructor(
    readonly work: Work,
    readonly clock: ManualClock,
    readonly cluster: InMemoryCluster,
    seed: number,
  ) {
    this.random = new SeededRandom(seed).fork(31);
  }

  /**
   * @param named whether each replica has an instance id, under which it comes back
   * @param more of each replica's options
   */
  static async start(work: Work, count: number, seed: number, named = false, { standbys = 0, checkpointing, ...more }: ReplicaOptions = {}): Promise<ReplicaSet> {
    const clock = new ManualClock({ seed });
    const cluster = new InMemoryCluster({ ...LIFELIKE, clock, seed });
    const replicas = new ReplicaSet(work, clock, cluster, seed);
    replicas.#start = (i) => {
      const { definition, outputs } = work;
      const topics = i === 0 ? work.topics : {};
      const group = { ...SETTINGS.group, standbys, ...(named ? { instanceId: `replica-${i}` } : {}) };
      replicas.drivers.push(JobTestDriver.startWithoutWaiting(definition, { ...more, topics, outputs, clock, cluster, settings: { ...SETTINGS, checkpointing: { ...SETTINGS.checkpointing, ...checkpointing }, group } }));
    };
    for (let i = 0; i < count; i++) replicas.#start(i);
    await replicas.untilShared(count);
    return replicas;
  }

  /** Starts one more, and waits until it has its part. */
  async add(): Promise<void> {
    this.#start(this.drivers.length);
    await this.untilShared(this.drivers.length);
  }

  /** Names of the tasks that run on each replica. */
  get running(): string[][] {
    return this.drivers.map((driver) => {
      const tasks = driver.isAlive ? driver.overview().tasks : [];
      return tasks.filter(({ status }) => status === 'RUNNING').map(({ subTopology, task }) => `${subTopology}-${task}`);
    });
  }

  /** Waits until every task runs, once, and they are spread over `count` replicas. */
  async untilShared(count: number): Promise<void> {
    const { tasks } = this.work;
    await this.clock.waitUntil(() => {
      const all = this.running.flat();
      return all.length === tasks && new Set(all).size === tasks && this.running.filter(({ length }) => length > 0).length >= Math.min(count, tasks);
    }, 120_000);
  }

  pipe(records: number): void {
    this.work.pipe(this.drivers[0]!, records);
  }

  async finish(): Promise<void> {
    await this.clock.waitUntil(() => this.work.isDone(this.drivers[0]!), 120_000);
    await this.clock.advance(2_000); // whatever would come twice
    this.work.verify(this.drivers[0]!);
  }

  /** One replica dies or stops at random amid the work, and comes back later, before or after the others have noticed. */
  async disturb(): Promise<void> {
    this.pipe(40);
    await this.clock.advance(this.random.between(0, 400));
    const victim = this.drivers[this.random.between(0, this.drivers.length - 1)]!;
    if (this.random.between(0, 2) === 0) await victim.stop();
    else await victim.crash();
    this.pipe(40);
    await this.clock.advance(this.random.between(0, 2 * SESSION_MS + 500));
    victim.recoverWithoutWaiting();
    this.pipe(20);
  }

  async end(): Promise<void> {
    for (const driver of this.drivers) if (driver.isAlive) await driver.crash();
    this.cluster.close();
  }
}
