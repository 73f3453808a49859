import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, sleep } from '@weir/core';
import { Feeder } from '../generator/feeder.js';
import { Flow } from '../generator/flow.js';
import { JOBS } from '../jobs/jobs.js';
import { RULES, type Rule, type Violation, Violations } from '../judge/violation.js';
import { ServiceProcess } from '../killer/service-process.js';
import { JavaWitness } from '../witness/java-witness.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import { SeenTrail } from '../witness/seen-trail.js';
import { WeirWitness } from '../witness/weir-witness.js';
import { askJudge, snapshotsIn } from './ask-judge.js';
import { CommittedPositions } from './committed-positions.js';
import type { RunOptions } from './run-options.js';
import { environmentOf, namesOf, SESSION_MS } from './run.js';
import { Schedule } from './schedule.js';
import { type Silence, SilenceMeter, silenceOf } from './silence-meter.js';

/**
 * A rolling restart: three replicas share a job while readings flow, and each in turn is told to stop by SIGTERM, awaited, started again, and
 * let come to RUNNING, `kills` times in all. What is measured is how long a partition of the first output was silent for who reads committed
 * records: one lap without a restart for comparison, then a lap for each restart. Then the judge, as in every run.
 *
 * With `--sigkill` each is killed instead, and comes back only once the others have missed it and run its tasks: a lap for each kill, the
 * silence of which holds the session, and one for each return.
 */
export interface RollingReport {
  readonly job: string;
  readonly variant: 'rolling';
  readonly seed: number;
  readonly restarts: number;
  readonly ok: boolean;
  readonly counts: Partial<Record<Rule, number>>;
  readonly samples: readonly Violation[];
  readonly readings: number;
  readonly readingsPerSecond: number;
  readonly checkpointIntervalMs: number;
  readonly alerts: number;
  readonly expectedAlerts: number;
  /** Longest silence of a partition in a lap: over partitions, while nobody was restarted. */
  readonly steady: Silence;
  /** The same over partitions and restarts. */
  readonly silence: Silence;
  /** Where replicas are killed: the session that must end before one is missed, which `silence` holds. Else undefined. */
  readonly sessionMs: number | undefined;
  readonly standbys: number;
  /** Where replicas are killed: the longest silence of a partition while each came back, which is a planned move. */
  readonly returns: Silence;
  /** Of each restart, the longest. */
  readonly lapsMs: readonly number[];
  /** From SIGTERM to the end of the process, and from its start to RUNNING: medians, in milliseconds. */
  readonly stopMs: number;
  readonly startMs: number;
  readonly seconds: number;
  readonly folder: string | undefined;
}

const REPLICAS = 3;
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 15_000;
const COMMIT_LIMIT_MS = 60_000;
/** From RUNNING to the next restart: what came late counts in the lap of the restart that it is due to. */
const REST_MS = 2_000;
const STEADY_MS = 5_000;
const POLL_MS = 100;

export async function rollOnce(options: RunOptions, clock: Clock): Promise<RollingReport> {
  const below = options.folder ?? tmpdir();
  await mkdir(below, { recursive: true });
  const folder = await mkdtemp(join(below, 'weir-rolling-'));
  const names = namesOf(options, clock);
  const { brokers, partitions } = options;
  const [java, weir, feeder] = await Promise.all([
    JavaWitness.start(brokers),
    WeirWitness.start(brokers),
    Feeder.start({ brokers, topic: names.input, compression: 'none', transactionalId: undefined }),
  ]);
  for (const topic of Object.values(names.topics)) await feeder.create(topic, partitions);
  const roll = new Roll(options, clock, folder, names, { java, weir, feeder });
  try {
    return await roll.run();
  } finally {
    await roll.close();
    await Promise.all([feeder.close(), java.close(), weir.close()]);
  }
}

class Roll {
  readonly #violations = new Violations();
  readonly #replicas: (ServiceProcess | undefined)[] = [];
  readonly #schedule: Schedule;
  readonly #positions: CommittedPositions;
  readonly #laps: (readonly number[])[] = [];
  readonly #returns: (readonly number[])[] = [];
  readonly #stopsMs: number[] = [];
  readonly #startsMs: number[] = [];
  #lives = 0;

  constructor(
    private readonly options: RunOptions,
    private readonly clock: Clock,
    private readonly folder: string,
    private readonly names: ReturnType<typeof namesOf>,
    private readonly witnesses: { readonly java: JavaWitness; readonly weir: WeirWitness; readonly feeder: Feeder },
  ) {
    this.#schedule = new Schedule(options.kills, options.flowSeconds * 1000 + STEADY_MS, clock);
    this.#positions = new CommittedPositions(witnesses.java, names.applicationId, names.layout.stages);
  }

  async run(): Promise<RollingReport> {
    const { options, clock, names } = this;
    const { feeder, weir } = this.witnesses;
    const began = clock.monotonic();
    const { seed, sensors, readings } = options;
    const feed = JOBS[options.job].feed({ seed, sensors }, names.topics);
    const meter = new SilenceMeter(options.partitions, began);
    const trails = names.layout.outputs.map((topic) => ({ reader: 'weir', topic, trail: new SeenTrail() }));
    const followers = trails.map(({ topic, trail }, i) =>
      weir.follow(topic, (record) => {
        trail.see(record);
        if (i === 0) meter.see(record.partition, clock.monotonic());
      }),
    );
    for (const record of feed.before) await feeder.send(record);
    await feeder.flush();
    for (let i = 0; i < REPLICAS; i++) this.#start(i);
    for (let i = 0; i < REPLICAS; i++) await this.#untilRunning(i);
    await this.#until('what the tasks must know beforehand is committed', () => this.#positions.broadcastsBehind());

    const flowBegan = clock.monotonic();
    const flow = new Flow(feed, feeder, { seed, readings, remainingMs: () => this.#schedule.remainingMs(), mode: 'plain', clock });
    const flowed = flow.run();
    flowed.catch(() => undefined); // awaited below
    try {
      const steady = await this.#strikeAll(meter);
      this.#schedule.cutShort();
      await flowed;
      const flowMs = clock.monotonic() - flowBegan;
      const sent = await feeder.flush();
      await this.#finish();
      await Promise.all(followers.map((follower) => follower.finish()));
      const verdict = await askJudge({ ...names, brokers: options.brokers, job: options.job, folder: this.folder, saw: trails });
      for (const { rule, detail } of verdict.samples) this.#violations.add(rule, detail);
      return {
        job: options.job,
        variant: 'rolling',
        seed,
        restarts: this.#laps.length,
        ok: this.#violations.none && verdict.ok,
        counts: { ...this.#violations.counts, ...verdict.counts },
        samples: this.#violations.samples,
        readings: sent,
        readingsPerSecond: Math.round((sent * 1000) / flowMs),
        checkpointIntervalMs: options.checkpointIntervalMs,
        alerts: verdict.alerts,
        expectedAlerts: verdict.expectedAlerts,
        steady: silenceOf([steady]),
        silence: silenceOf(this.#laps),
        sessionMs: options.sigkill ? SESSION_MS : undefined,
        standbys: options.standbys,
        returns: silenceOf(this.#returns),
        lapsMs: this.#laps.map((lap) => Math.round(Math.max(...lap))),
        stopMs: medianOf(this.#stopsMs),
        startMs: medianOf(this.#startsMs),
        seconds: Math.round((clock.monotonic() - began) / 100) / 10,
        folder: this.#keeps ? this.folder : undefined,
      };
    } finally {
      flow.stop();
    }
  }

  /** @returns the silences of the lap before the first restart */
  async #strikeAll(meter: SilenceMeter): Promise<readonly number[]> {
    const { clock } = this;
    const { kills, sigkill } = this.options;
    await sleep(clock, REST_MS);
    meter.lap(clock.monotonic());
    await sleep(clock, STEADY_MS);
    const steady = meter.lap(clock.monotonic());
    for (let n = 0; n < kills && this.#violations.none; n++) {
      if (sigkill) await this.#kill(n % REPLICAS);
      else await this.#restart(n % REPLICAS);
      this.#schedule.struck();
      this.#laps.push(meter.lap(clock.monotonic()));
      if (!sigkill) continue;
      await this.#comeBack(n % REPLICAS);
      this.#returns.push(meter.lap(clock.monotonic()));
    }
    return steady;
  }

  /** Whatever came: nobody is left. */
  async close(): Promise<void> {
    await Promise.all(this.#replicas.map((replica) => replica?.kill()));
    if (!this.#keeps) await rm(this.folder, { recursive: true, force: true });
  }

  get #keeps(): boolean {
    return this.options.keep || !this.#violations.none;
  }

  #start(i: number): void {
    const { options, folder, names, clock } = this;
    const entry = join(PROJECT_ROOT, 'dist', 'apps', options.job, 'main.js');
    const env = {
      ...environmentOf(options, names),
      SNAPSHOT_DIR: snapshotsIn(folder),
      STATE_DIR: join(folder, `replica-${i}`),
      PORT: '0',
      CHECKPOINT_INTERVAL_MS: String(options.checkpointIntervalMs),
    };
    const logFile = join(folder, `replica-${i}-${++this.#lives}.log`);
    this.#replicas[i] = new ServiceProcess({ entry, env, logFile, clock });
  }

  async #untilRunning(i: number): Promise<void> {
    const replica = this.#replicas[i]!;
    const job = await replica.untilRunning(START_LIMIT_MS);
    if (job === undefined) this.#violations.add('service-stuck', `replica ${i} did not come to RUNNING; ${replica.logFile} ends with\n${replica.lastLines}`);
    this.#startsMs.push(this.clock.monotonic() - replica.startedAt);
  }

  async #restart(i: number): Promise<void> {
    await this.#stop(i);
    await this.#comeBack(i);
  }

  /** Until the others have missed it, and run what it ran. */
  async #kill(i: number): Promise<void> {
    await this.#replicas[i]!.kill();
    await sleep(this.clock, SESSION_MS + 2 * REST_MS);
  }

  async #comeBack(i: number): Promise<void> {
    this.#start(i);
    await this.#untilRunning(i);
    await sleep(this.clock, REST_MS);
  }

  async #stop(i: number): Promise<void> {
    const { clock } = this;
    const replica = this.#replicas[i]!;
    const told = clock.monotonic();
    replica.signal('SIGTERM');
    const inTime = await Promise.race([replica.ended.then(() => true), sleep(clock, STOP_LIMIT_MS).then(() => false)]);
    this.#stopsMs.push(clock.monotonic() - told);
    const { code, signal } = await replica.kill();
    if (inTime && code === 0) return;
    this.#violations.add('stop-unclean', `replica ${i} ended with ${signal ?? `exit code ${code}`} after SIGTERM; ${replica.logFile} ends with\n${replica.lastLines}`);
  }

  async #finish(): Promise<void> {
    const { input } = this.names;
    const target = (await this.witnesses.java.ends(input)).reduce((sum, { lastStable }) => sum + lastStable, 0);
    await this.#until('the group has committed the input', async () => target - (await this.#positions.of(input)));
    const ends = await this.#positions.shuffleEnds(); // behind which there will be barriers
    await this.#until('the group has committed what shuffles held by then', () => this.#positions.behind(ends));
    await Promise.all(this.#replicas.map((_, i) => this.#stop(i)));
  }

  /** @param left how many records lack; 0 or less is the end */
  async #until(what: string, left: () => Promise<number>): Promise<void> {
    const deadline = this.clock.monotonic() + COMMIT_LIMIT_MS;
    while ((await left()) > 0) {
      if (this.clock.monotonic() > deadline) {
        this.#violations.add('service-stuck', `not after ${COMMIT_LIMIT_MS} ms: ${what}`);
        return;
      }
      await sleep(this.clock, POLL_MS);
    }
  }
}

const medianOf = (numbers: readonly number[]): number => Math.round([...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0);

function killed({ sessionMs, standbys, returns, silence }: RollingReport): string[] {
  if (sessionMs === undefined) return [];
  const [median, max] = [silence.medianMs - sessionMs, silence.maxMs - sessionMs];
  return [
    `            by SIGKILL: behind the session of ${sessionMs} ms median ${median} ms, max ${max} ms, with ${standbys} standbys`,
    `            while one came back: median ${returns.medianMs} ms, max ${returns.maxMs} ms`,
  ];
}

/** A report as people read it. */
export function rollingText(report: RollingReport): string {
  const { job, seed, restarts, readings, readingsPerSecond, checkpointIntervalMs, steady, silence, lapsMs, stopMs, startMs, alerts, expectedAlerts } = report;
  const lines = [
    `${job}, rolling, seed ${seed}: ${restarts} restarts of ${REPLICAS} replicas in turn, ${readings} readings at ${readingsPerSecond}/s, a checkpoint every ${checkpointIntervalMs} ms; ${report.seconds} s in all`,
    `  silence:  of a partition, the longest in a restart: median ${silence.medianMs} ms, max ${silence.maxMs} ms; without restarts median ${steady.medianMs} ms, max ${steady.maxMs} ms`,
    `            by restart: ${lapsMs.join(', ')} ms`,
    ...killed(report),
    `  replicas: ${stopMs} ms from SIGTERM to the end, ${startMs} ms from the start to RUNNING, medians`,
    `  judge:    ${alerts} alerts of ${expectedAlerts} expected`,
  ];
  for (const [rule, count] of Object.entries(report.counts)) lines.push(`  BROKEN ${count} times: ${RULES[rule as Rule]} (${rule})`);
  for (const { rule, detail } of report.samples) lines.push(`    ${rule}: ${detail.replaceAll('\n', '\n      ')}`);
  if (report.folder !== undefined) lines.push(`  kept:     ${report.folder}`);
  lines.push(`  ${report.ok ? 'OK' : 'VIOLATED'}`);
  return lines.join('\n');
}
