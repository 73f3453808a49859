import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, sleep } from '@weir/core';
import { Feeder } from '../generator/feeder.js';
import { Flow } from '../generator/flow.js';
import type { Feed } from '../jobs/job-under-test.js';
import { type JobName, JOBS } from '../jobs/jobs.js';
import type { JobLayout, TopicNames } from '../judge/job-model.js';
import type { Verdict } from '../judge/judge.js';
import { type Rule, type Violation, Violations } from '../judge/violation.js';
import { planKills } from '../killer/kill-plan.js';
import { Companion } from '../killer/companion.js';
import { Killer } from '../killer/killer.js';
import { checkTails, RestoreLedger, type TailRestore } from '../killer/restore-ledger.js';
import { JavaWitness } from '../witness/java-witness.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import { SeenTrail } from '../witness/seen-trail.js';
import { WeirWitness } from '../witness/weir-witness.js';
import { askJudge, snapshotsIn } from './ask-judge.js';
import { CommittedPositions } from './committed-positions.js';
import { CutCheck } from './cut-check.js';
import type { RunOptions } from './run-options.js';
import { Schedule } from './schedule.js';

/**
 * One run, from empty topics to a verdict:
 *
 *   1. make inputs and outputs; begin to follow the outputs with two readers
 *   2. send what the job must know beforehand, and wait until it has committed that it read it
 *   3. let readings flow, and strike blow after blow; the flow goes on until after the last
 *   4. let the rest flow, wait until the group has committed the end of the input, stop the service in order
 *   5. end the followers, and ask the judge
 *
 * Whatever happens, every process that was started is ended. A sabotaged run stops at the first thing that was found.
 */
export interface RunReport {
  readonly job: JobName;
  readonly variant: string;
  readonly sabotage: string | undefined;
  readonly seed: number;
  /** Blows that were struck. */
  readonly kills: number;
  readonly lives: number;
  readonly ok: boolean;
  /** Blows after which the first thing was found; undefined where it took the judge, at the end. */
  readonly foundAfterKills: number | undefined;
  readonly counts: Partial<Record<Rule, number>>;
  readonly samples: readonly Violation[];
  readonly readings: number;
  readonly flowSeconds: number;
  /** Median of milliseconds from the start of a process to RUNNING. */
  readonly startMs: number | undefined;
  /** Tails: restores that had to read no more than what the last epoch holds. */
  readonly restores: {
    readonly count: number;
    readonly records: number;
    readonly tails: number;
    readonly tailsWithRecords: number;
    readonly largestTail: number;
  };
  readonly deathsInspected: number;
  /** Inspected deaths that left a transaction open. */
  readonly tornTransactions: number;
  /** Undefined where a sabotage was found before. */
  readonly verdict: Omit<Verdict, 'counts' | 'samples'> | undefined;
  readonly seconds: number;
  /** Logs, state and copies of stores, if they were kept. */
  readonly folder: string | undefined;
}

/** Milliseconds without progress after which a service is stuck. */
const STUCK_MS = 30_000;
const POLL_MS = 200;
const MEAN_RUN_MS = 1_000;
/** Of services: brokers that the rig runs on must allow it. */
const SESSION_MS = 1_500;
const COMPANIONS = 2;

export async function runOnce(options: RunOptions, clock: Clock): Promise<RunReport> {
  const run = await Run.prepare(options, clock);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #began: number;
  readonly #violations = new Violations();
  readonly #ledger: RestoreLedger;
  readonly #killer: Killer;
  readonly #companions: readonly Companion[];
  readonly #cuts: CutCheck;
  readonly #positions: CommittedPositions;
  readonly #flow: Flow;
  readonly #schedule: Schedule;
  readonly #feed: Feed;
  readonly #saw: { readonly reader: 'java' | 'weir'; readonly topic: string; readonly trail: SeenTrail }[];
  #foundAfter: number | undefined;
  #tornTransactions = 0;

  private constructor(
    private readonly options: RunOptions,
    private readonly clock: Clock,
    private readonly folder: string,
    private readonly names: Names,
    private readonly java: JavaWitness,
    private readonly weir: WeirWitness,
    private readonly feeder: Feeder,
  ) {
    const { job, variant, seed, readings, sensors, flowSeconds } = options;
    this.#began = clock.monotonic();
    // Tasks come and go between replicas: their stores are older than the last life.
    const durable = variant !== 'memory' && variant !== 'filesystem' && variant !== 'replicas';
    this.#ledger = new RestoreLedger(durable, this.#violations);
    this.#schedule = new Schedule(options.kills, flowSeconds * 1000, clock);
    this.#cuts = new CutCheck(java, { group: names.applicationId, stages: names.layout.stages }, clock, this.#violations);
    this.#positions = new CommittedPositions(java, names.applicationId, names.layout.stages);
    this.#feed = JOBS[job].feed({ seed, sensors }, names.topics);
    this.#saw = names.layout.outputs.flatMap((topic) => (['java', 'weir'] as const).map((reader) => ({ reader, topic, trail: new SeenTrail() })));
    const mode = variant === 'aborted' ? 'transactions' : 'plain';
    this.#flow = new Flow(this.#feed, feeder, {
      seed,
      readings,
      remainingMs: () => this.#schedule.remainingMs(),
      mode,
      clock,
    });
    const entry = join(PROJECT_ROOT, 'dist', 'apps', options.sabotage === undefined ? job : 'verifier/sabotaged', 'main.js');
    const env = { ...environmentOf(options, names), SNAPSHOT_DIR: snapshotsIn(folder) };
    this.#companions = Array.from({ length: variant === 'replicas' ? COMPANIONS : 0 }, (_, i) => {
      return new Companion({ name: `companion-${i + 1}`, entry, env, folder, clock, seed: seed + i, sessionMs: SESSION_MS, violations: this.#violations });
    });
    this.#killer = new Killer({
      entry,
      env,
      folder,
      durable,
      clock,
      violations: this.#violations,
      ledger: this.#ledger,
      onDeath: (when) => this.#onDeath(when),
      progress: () => this.#positions.ofInputs(),
      broadcastRecords: () => this.#positions.broadcastRecords(),
    });
  }

  /** Step 1. */
  static async prepare(options: RunOptions, clock: Clock): Promise<Run> {
    const below = options.folder ?? tmpdir();
    await mkdir(below, { recursive: true });
    const folder = await mkdtemp(join(below, `weir-chaos-${options.variant}-`));
    const names = namesOf(options, clock);
    const { brokers, partitions } = options;
    const transactionalId = options.variant === 'aborted' ? `${names.applicationId}-feeder` : undefined;
    const [java, weir, feeder] = await Promise.all([
      JavaWitness.start(brokers),
      WeirWitness.start(brokers),
      Feeder.start({ brokers, topic: names.input, compression: COMPRESSIONS[options.seed % COMPRESSIONS.length]!, transactionalId }),
    ]);
    for (const topic of Object.values(names.topics)) await feeder.create(topic, partitions);
    return new Run(options, clock, folder, names, java, weir, feeder);
  }

  async run(): Promise<RunReport> {
    const { outputs } = this.names.layout;
    const followers = await this.#follow();
    await this.#feedBeforehand();
    const flowBegan = this.clock.monotonic();
    const flow = this.#flow.run();
    flow.catch(() => undefined); // awaited below
    if (this.options.variant === 'backlog') {
      this.#schedule.cutShort();
      await flow;
    }
    for (const companion of this.#companions) companion.start();
    await this.#strikeAll();
    this.#schedule.cutShort();
    if (!this.#foundInSabotage() && !this.#killer.givenUp) await this.#killer.keepAlive();
    if (this.#foundInSabotage()) this.#flow.stop();
    await flow;
    const flowSeconds = (this.clock.monotonic() - flowBegan) / 1000;
    const sent = await this.feeder.flush();
    if (this.#foundInSabotage() || this.#killer.givenUp) return this.#report(undefined, sent, flowSeconds);
    await this.#untilCommitted();
    await Promise.all(this.#companions.map((companion) => companion.finish()));
    await this.#killer.finish(); // last, for it looks at what lies there when nobody runs
    for (const topic of outputs) await this.java.unfollow(topic);
    await Promise.all(followers.map((follower) => follower.finish()));
    const { brokers, job } = this.options;
    const verdict = await askJudge({ ...this.names, brokers, job, folder: this.folder, saw: this.#saw });
    checkTails(this.#ledger.tails, verdict.largestEpoch, this.#violations);
    return this.#report(verdict, sent, flowSeconds);
  }

  async close(): Promise<void> {
    this.#flow.stop();
    await Promise.all([this.#killer.close(), ...this.#companions.map((companion) => companion.close())]);
    await Promise.all([this.feeder.close(), this.java.close(), this.weir.close()]);
    if (this.#violations.none && !this.options.keep) await rm(this.folder, { recursive: true, force: true });
  }

  async #follow(): Promise<{ finish(): Promise<void> }[]> {
    const followers: { finish(): Promise<void> }[] = [];
    for (const { reader, topic, trail } of this.#saw) {
      if (reader === 'java') await this.java.follow(topic, (record) => trail.see(record));
      else followers.push(this.weir.follow(topic, (record) => trail.see(record)));
    }
    return followers;
  }

  /** Step 2. */
  async #feedBeforehand(): Promise<void> {
    const { before } = this.#feed;
    if (before.length === 0) return;
    for (const record of before) await this.feeder.send(record);
    if (this.options.variant === 'aborted') await this.feeder.endTransaction('commit');
    await this.feeder.flush();
    await this.#keepAliveUntil('the tasks have committed that they read what they must know beforehand', () => this.#positions.broadcastsBehind());
  }

  /** Step 3. */
  async #strikeAll(): Promise<void> {
    const { variant, seed, kills, checkpointIntervalMs } = this.options;
    const plan = planKills({ variant, seed, kills, checkpointIntervalMs, meanRunMs: MEAN_RUN_MS });
    for (const step of plan) {
      await this.#killer.strike(step);
      this.#schedule.struck();
      if (!this.#violations.none) this.#foundAfter ??= this.#killer.blows;
      if (this.#foundInSabotage() || this.#killer.givenUp) return;
    }
  }

  /** Step 4. */
  async #untilCommitted(): Promise<void> {
    const { input } = this.names;
    const target = (await this.java.ends(input)).reduce((sum, { lastStable }) => sum + lastStable, 0);
    await this.#keepAliveUntil('the group has committed the input', async () => target - (await this.#positions.of(input)));
    const ends = await this.#positions.shuffleEnds(); // behind which there will be barriers
    await this.#keepAliveUntil('the group has committed what shuffles held by then', () => this.#positions.behind(ends));
  }

  /** @param left how many records lack; 0 or less is the end */
  async #keepAliveUntil(what: string, left: () => Promise<number>): Promise<void> {
    const { clock } = this;
    let least = Infinity;
    let since = clock.monotonic();
    while (!this.#killer.givenUp) {
      await this.#killer.keepAlive();
      const now = await left();
      if (now <= 0) return;
      if (now < least) since = clock.monotonic();
      least = Math.min(least, now);
      if (clock.monotonic() - since > STUCK_MS) {
        this.#violations.add('service-stuck', `${now} records lack until ${what}, and for ${STUCK_MS} ms no fewer`);
        return;
      }
      await sleep(clock, POLL_MS);
    }
  }

  async #onDeath(when: string): Promise<void> {
    for (const { changelog } of this.names.layout.stages) {
      if ((await this.java.ends(changelog)).length === 0 || (await this.java.openTransactions(changelog)).length === 0) continue;
      this.#tornTransactions++;
      break;
    }
    await this.#cuts.check(when);
  }

  #foundInSabotage(): boolean {
    return this.options.sabotage !== undefined && !this.#violations.none;
  }

  #report(verdict: Verdict | undefined, readings: number, flowSeconds: number): RunReport {
    const { options } = this;
    const own = this.#violations;
    const judged = verdict ?? { counts: {}, samples: [], ok: true };
    const starts = [...this.#killer.startsMs].sort((a, b) => a - b);
    const kept = !own.none || !judged.ok || options.keep;
    if (!judged.ok) for (const { rule, detail } of judged.samples) own.add(rule, detail); // so that the folder is kept
    return {
      job: options.job,
      variant: options.variant,
      sabotage: options.sabotage,
      seed: options.seed,
      kills: this.#companions.reduce((sum, { blows }) => sum + blows, this.#killer.blows),
      lives: this.#companions.reduce((sum, { lives }) => sum + lives, this.#killer.lives),
      ok: own.none,
      foundAfterKills: this.#foundAfter,
      counts: { ...own.counts, ...judged.counts },
      samples: own.samples,
      readings,
      flowSeconds: rounded(flowSeconds),
      startMs: starts.length === 0 ? undefined : Math.round(starts[Math.floor(starts.length / 2)]!),
      restores: { count: this.#ledger.restores, records: this.#ledger.records, ...tailsOf(this.#ledger.tails) },
      deathsInspected: this.#cuts.cuts,
      tornTransactions: this.#tornTransactions,
      verdict: verdict === undefined ? undefined : withoutFindings(verdict),
      seconds: rounded((this.clock.monotonic() - this.#began) / 1000),
      folder: kept ? this.folder : undefined,
    };
  }
}

export interface Names {
  readonly applicationId: string;
  readonly topics: TopicNames;
  readonly layout: JobLayout;
  /** Where readings flow into. */
  readonly input: string;
}

const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

export function namesOf({ job, variant, seed }: RunOptions, clock: Clock): Names {
  const applicationId = `chaos-${variant}-${seed}-${clock.newId().slice(0, 8)}`;
  const topics = JOBS[job].topics(applicationId);
  return { applicationId, topics, layout: JOBS[job].layout(applicationId, topics), input: topics['INPUT_TOPIC']! };
}

export function environmentOf({ brokers, job, variant, sabotage }: RunOptions, { applicationId, topics }: Names): Record<string, string> {
  return {
    KAFKA_BROKERS: brokers,
    APPLICATION_ID: applicationId,
    ...topics,
    STATE_BACKEND: variant === 'memory' || variant === 'filesystem' ? variant : 'rocksdb',
    ...(variant === 'rolling' ? {} : { SESSION_TIMEOUT_MS: String(SESSION_MS) }),
    // Rivals, and most sabotages, are about what keeps two processes apart that know of no group.
    ...(variant === 'zombie' || sabotage !== undefined ? { REPLICAS: 'one' } : {}),
    ...(sabotage === undefined ? {} : { SABOTAGE: sabotage, SABOTAGED_JOB: job }),
  };
}

function withoutFindings({ counts: _counts, samples: _samples, ...rest }: Verdict): Omit<Verdict, 'counts' | 'samples'> {
  return rest;
}

function tailsOf(tails: readonly TailRestore[]): {
  readonly tails: number;
  readonly tailsWithRecords: number;
  readonly largestTail: number;
} {
  const records = tails.map((tail) => tail.records);
  return { tails: tails.length, tailsWithRecords: records.filter((count) => count > 0).length, largestTail: Math.max(0, ...records) };
}

const rounded = (seconds: number): number => Math.round(seconds * 10) / 10;
