import { type CallFacts, InMemoryCluster, InMemorySnapshots, ManualClock, SeededRandom } from '@weir/testing';
import { EventTrace } from './event-trace.js';
import { APPLICATION, Replicas } from './replicas.js';
import { ALL_POINTS, strike } from './scenario-faults.js';
import type { Scenario } from './scenario.js';
import type { SimulationSabotage } from './sabotages.js';
import { completedRounds, differingOffsets, findingsOf } from './verdict.js';
import { type Work, workOf } from './work.js';

/**
 * One run of the whole protocol in simulated time: replicas of a job over an in-memory log, through the faults of a scenario, and what is
 * found wrong with it.
 *
 *   records flow, faults strike -> all faults end -> everything is processed, rounds complete again -> all replicas stop -> verdict
 *
 * Determinism. The same scenario gives the same run, event for event, because nothing in it comes from elsewhere: time, timers, chance and
 * ids are those of one ManualClock (lint keeps core and its adapters from any other); the log, the disks and the snapshots are in this
 * process, and delay by that clock; chance is drawn from streams forked from the seed, so that none shifts another; and promise continuations
 * run in one thread, in the order that the language prescribes, all of them between two timers. What it rests on beyond that: the order in which
 * V8 settles promises, and JSON and numbers as text. So a seed replays on the same sources and the same major version of Node.
 */
export interface SimulationOptions {
  readonly sabotage?: SimulationSabotage | undefined;
  /** Gets every event as a line. */
  readonly tell?: ((line: string) => void) | undefined;
}

export interface SimulationResult {
  /** Empty where nothing is wrong. */
  readonly findings: readonly string[];
  /** Of all events, see EventTrace. */
  readonly hash: string;
  readonly events: number;
  readonly simulatedMs: number;
  readonly rounds: number;
  /** Processes that died or ended before the end of the run. */
  readonly deaths: number;
}

/** Milliseconds between two looks at the replicas. */
const LOOK_MS = 20;
/** Milliseconds that the job may take, once all faults have ended, until everything is processed and rounds complete again. */
const RECOVERY_LIMIT_MS = 90_000;
/** Rounds that are to complete once all faults have ended. */
const ROUNDS_AFTER = 2;
const RUN_STREAM = 31;
const INPUT_STREAM = 77;

export async function simulate(scenario: Scenario, options: SimulationOptions = {}): Promise<SimulationResult> {
  const run = new Run(scenario, options);
  try {
    await run.play();
    await run.recover();
    await run.end();
  } catch (thrown) {
    run.findings.push(`the run broke off: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
  return run.result();
}

interface Step {
  readonly at: number;
  readonly act: () => Promise<void>;
}

class Run {
  readonly findings: string[] = [];
  readonly #clock: ManualClock;
  readonly #cluster: InMemoryCluster;
  readonly #snapshots: InMemorySnapshots;
  readonly #work: Work;
  readonly #random: SeededRandom;
  readonly #trace: EventTrace;
  readonly #replicas: Replicas;
  /** In the order of their times. */
  readonly #steps: Step[] = [];
  #left: number;
  #deaths = 0;

  constructor(
    readonly scenario: Scenario,
    { sabotage, tell }: SimulationOptions,
  ) {
    const { seed, network, job, partitions, records } = scenario;
    this.#clock = new ManualClock({ seed });
    const { travelMs, markerMs, chunkRows } = network;
    this.#cluster = new InMemoryCluster({ clock: this.#clock, seed, travelMs: [1, travelMs], markerMs: [0, markerMs], fetchMs: [0, 5], chunkRows: [1, chunkRows] });
    this.#snapshots = new InMemorySnapshots({ seed, maxDelayMs: 20 });
    this.#random = new SeededRandom(seed).fork(RUN_STREAM);
    this.#work = workOf(job, partitions, new SeededRandom(seed).fork(INPUT_STREAM));
    this.#trace = new EventTrace(tell);
    this.#left = records;
    this.#watchCalls();
    const around = { scenario, work: this.#work, clock: this.#clock, cluster: this.#cluster, snapshots: this.#snapshots, sabotage };
    this.#replicas = new Replicas(around, this.#random, (afterMs, act) => this.#later(afterMs, act), () => this.#onDeath());
    for (let i = 0; i < scenario.replicas; i++) this.#replicas.add();
  }

  /** A fault that strikes nothing, and is asked first. */
  #watchCalls(): void {
    const watch = (facts: CallFacts): false => {
      this.#trace.onCall(this.#clock.monotonic(), facts);
      return false;
    };
    this.#cluster.faults.randomly({ points: ALL_POINTS, probability: 1, when: watch, action: () => ({ type: 'run', run: () => undefined }) });
  }

  /** Records flow, and faults strike. */
  async play(): Promise<void> {
    const { durationMs, faults } = this.scenario;
    const struck = {
      clock: this.#clock,
      cluster: this.#cluster,
      snapshots: this.#snapshots,
      replicas: this.#replicas,
      stages: this.#work.stages,
      transactionTimeoutMs: this.scenario.transactionTimeoutMs,
      later: (afterMs: number, act: () => Promise<void>) => this.#later(afterMs, act),
    };
    for (const fault of faults) {
      this.#later(fault.at, () => {
        this.#trace.add(`${this.#clock.monotonic()} ${fault.type}`);
        return strike(fault, struck);
      });
    }
    while (this.#clock.monotonic() < durationMs || this.#steps.length > 0) {
      await this.#pass();
      this.#pipe();
    }
    this.#pipe(this.#left);
  }

  /** No fault strikes any more: everything is processed, every task runs, once, and rounds complete. */
  async recover(): Promise<void> {
    this.#cluster.faults.clear();
    this.#watchCalls();
    this.#snapshots.faults.clear();
    for (const { driver } of this.#replicas.all) driver.disk.failApply(new Error('a full disk that never is'), Infinity);
    await this.#replicas.heal();
    const before = completedRounds(this.#cluster);
    const deadline = this.#clock.monotonic() + RECOVERY_LIMIT_MS;
    let missing = this.#missing(before);
    while (missing !== undefined && this.#clock.monotonic() < deadline) {
      for (let i = 0; i < 5; i++) await this.#pass();
      missing = this.#missing(before);
    }
    if (missing !== undefined) this.findings.push(`${RECOVERY_LIMIT_MS} ms after the last fault ${missing}`);
    await this.#clock.advance(300); // whatever would come twice
  }

  /** What has not come about yet. */
  #missing(roundsBefore: number): string | undefined {
    if (!this.#work.isDone(this.#replicas.all[0]!.driver)) return 'not everything is processed';
    if (!this.#replicas.areUp) return 'not every replica is up';
    const running = this.#replicas.all.flatMap(({ runningTasks }) => runningTasks).sort();
    const expected = this.#taskNames();
    if (running.join() !== expected.join()) return `these tasks run: ${running.join(' ')}; and not: ${expected.join(' ')}`;
    const rounds = completedRounds(this.#cluster) - roundsBefore;
    return rounds >= ROUNDS_AFTER ? undefined : `${rounds} rounds are complete`;
  }

  #taskNames(): string[] {
    const { stages } = this.#work;
    const names: string[] = [];
    for (let stage = 0; stage < stages; stage++) {
      const partitions = this.#cluster.describeTopic(`${APPLICATION}-0-${stage}-changelog`)?.partitions ?? 0;
      for (let task = 0; task < partitions; task++) names.push(`${stage}-${task}`);
    }
    return names;
  }

  /** Everybody stops in order, and what they leave is looked at. */
  async end(): Promise<void> {
    this.#replicas.end();
    while (!this.#replicas.areDown) await this.#pass();
    await this.#clock.advance(200); // markers are on their way
    const { scenario } = this;
    const hasHistory = !scenario.faults.some(({ type }) => type === 'compaction');
    const hasStateInChangelog = scenario.backend === 'disk';
    this.findings.push(...findingsOf({ cluster: this.#cluster, work: this.#work, replicas: this.#replicas.all, hasHistory, hasStateInChangelog }));
  }

  async result(): Promise<SimulationResult> {
    const simulatedMs = this.#clock.monotonic();
    const rounds = completedRounds(this.#cluster);
    await this.#replicas.killAll();
    this.#cluster.close();
    const findings = [...this.#replicas.findings, ...this.findings];
    return { findings, hash: this.#trace.hash, events: this.#trace.events, simulatedMs, rounds, deaths: this.#deaths };
  }

  // ---- time ----

  #later(afterMs: number, act: () => Promise<void>): void {
    const at = this.#clock.monotonic() + afterMs;
    const place = this.#steps.findIndex((step) => step.at > at);
    this.#steps.splice(place === -1 ? this.#steps.length : place, 0, { at, act });
  }

  /** Up to the next step or the next look at the replicas. */
  async #pass(): Promise<void> {
    const now = this.#clock.monotonic();
    const next = this.#steps[0];
    const toNext = next === undefined ? LOOK_MS : Math.min(LOOK_MS, Math.max(0, next.at - now));
    await this.#clock.advance(toNext);
    while (this.#steps[0] !== undefined && this.#steps[0].at <= this.#clock.monotonic()) await this.#steps.shift()!.act();
    await this.#replicas.lookAfter();
  }

  #pipe(records = Math.min(this.#left, this.#random.between(0, 4))): void {
    this.#left -= records;
    this.#work.pipe(this.#replicas.all[0]!.driver, records);
  }

  #onDeath(): void {
    this.#deaths++;
    this.findings.push(...differingOffsets({ cluster: this.#cluster, work: this.#work }));
  }
}
