import { type JobSettings, type LogFactory, type StateBackendFactory, type StateStore, WeirError } from '@weir/core';
import { snapshotting } from '@weir/storage';
import { type DiskImage, type InMemoryCluster, type InMemorySnapshots, JobTestDriver, type JobTestOptions, type ManualClock } from '@weir/testing';
import type { Scenario } from './scenario.js';
import { sabotagedPorts, type SimulationSabotage } from './sabotages.js';
import type { Work } from './work.js';

/**
 * One replica of a simulation: a process that dies, stops, hangs and comes back, with a disk that stays.
 *
 *   RUNNING --kill, a fault kills it, its job fails--> DOWN --time--> RUNNING
 *      |  ^
 *      |  +--resume-- PAUSED <--pause-- RUNNING
 *      +--stop--> STOPPING --ended, or killed--> DOWN
 */
export type ReplicaPhase =
  | { readonly name: 'RUNNING' }
  | { readonly name: 'PAUSED'; readonly until: number }
  | { readonly name: 'STOPPING'; readonly since: number }
  | { readonly name: 'DOWN'; readonly until: number };

/** What all replicas of a run share. */
export interface Surroundings {
  readonly scenario: Scenario;
  readonly work: Work;
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly snapshots: InMemorySnapshots;
  readonly sabotage: SimulationSabotage | undefined;
}

/** Milliseconds that an orderly stop may take. */
export const STOP_DEADLINE_MS = 10_000;

export class SimulatedReplica {
  readonly driver: JobTestDriver;
  phase: ReplicaPhase = { name: 'RUNNING' };
  /** How the job of the present process has ended, if it has. */
  ended: { readonly failure: string | undefined } | undefined;
  #processes = 0;
  /** The next opening of a store finds it damaged. */
  #isDamaged = false;

  constructor(
    readonly name: string,
    private readonly around: Surroundings,
  ) {
    const { work, clock, cluster, snapshots, scenario } = around;
    const { log, state } = this.#ports();
    const { topics, outputs, definition } = work;
    this.driver = JobTestDriver.startWithoutWaiting(definition, { topics, outputs, clock, cluster, snapshots, log, state, settings: settingsOf(scenario) });
    this.#watch();
  }

  /** The log under a name of its own, so that faults can strike this replica alone; the disk; and what a sabotage puts between. */
  #ports(): Required<Pick<JobTestOptions, 'log' | 'state'>> {
    const { sabotage, scenario } = this.around;
    let made: { log: LogFactory | undefined } = { log: undefined };
    let plain: LogFactory;
    return {
      log: (log) => {
        plain = { open: (context) => log.open({ ...context, clientId: this.name }) };
        const own: typeof made = { log: undefined };
        made = own;
        return { open: (context) => own.log!.open(context) };
      },
      state: (disk, process) => {
        const state = scenario.backend === 'disk' ? this.#damageable(disk) : snapshotting(process.snapshots, { clock: process.clock });
        const ports = sabotagedPorts(sabotage, { log: plain, state }, process.clock, `${this.name}-${++this.#processes}`);
        made.log = ports.log;
        return ports.state;
      },
    };
  }

  #damageable(disk: StateBackendFactory): StateBackendFactory {
    const open = (opened: Promise<StateStore>): Promise<StateStore> => {
      if (!this.#isDamaged) return opened;
      this.#isDamaged = false;
      return opened.then(async (store) => {
        await store.close();
        throw new WeirError('rebuild-state', 'STATE_DAMAGED', 'The simulation has damaged this store.');
      });
    };
    return {
      kind: disk.kind,
      open: async (maxStores) => {
        const backend = await disk.open(maxStores);
        return {
          kind: backend.kind,
          open: (scope) => open(backend.open(scope)),
          destroy: (scope) => backend.destroy(scope),
          close: () => backend.close(),
        };
      },
    };
  }

  get isUp(): boolean {
    return this.phase.name === 'RUNNING' && this.driver.isAlive;
  }

  /** Names of the tasks that it runs. */
  get runningTasks(): string[] {
    if (!this.isUp) return [];
    const running = this.driver.overview().tasks.filter(({ status }) => status === 'RUNNING');
    return running.map(({ subTopology, task }) => `${subTopology}-${task}`);
  }

  #watch(): void {
    this.ended = undefined;
    const { job } = this.driver;
    void job.ended.then((outcome) => {
      if (this.phase.name !== 'DOWN') this.ended = { failure: outcome.status === 'FAILED' ? outcome.error.message : undefined };
    });
  }

  /** SIGKILL, or the burial of a process that is dead or has ended. */
  async kill(until: number): Promise<void> {
    this.phase = { name: 'DOWN', until };
    await this.driver.crash();
  }

  start(): void {
    this.phase = { name: 'RUNNING' };
    this.driver.recoverWithoutWaiting();
    this.#watch();
  }

  /** SIGTERM. */
  stop(now: number): void {
    this.phase = { name: 'STOPPING', since: now };
    void this.driver.job.stop(STOP_DEADLINE_MS);
  }

  /** SIGSTOP. */
  pause(until: number): void {
    this.phase = { name: 'PAUSED', until };
    this.driver.pause();
  }

  /** SIGCONT. */
  resume(): void {
    this.phase = { name: 'RUNNING' };
    this.driver.resume();
  }

  damage(): void {
    this.#isDamaged = true;
  }

  /** Puts an old image of the disk back. While no process has it open. */
  restoreDisk(image: DiskImage): void {
    this.driver.disk.restoreImage(image);
  }
}

function settingsOf({ intervalMs, roundTimeoutMs, transactionTimeoutMs, isGroup }: Scenario): Partial<JobSettings> {
  const group = { sessionTimeout: 1_000, rebalanceTimeout: 2_000, handoverTimeout: 3_000 };
  return {
    checkpointing: { interval: intervalMs, timeout: roundTimeoutMs, transactionTimeout: transactionTimeoutMs, tolerableFailedCheckpoints: 2 },
    restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 },
    ...(isGroup ? { group } : {}),
  };
}
