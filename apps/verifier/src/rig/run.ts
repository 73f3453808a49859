import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, sleep } from '@weir/core';
import { Flow } from '../generator/flow.js';
import type { Feed } from '../jobs/job-under-test.js';
import { JOBS } from '../jobs/jobs.js';
import type { JobLayout, TopicNames } from '../judge/job-model.js';
import type { Verdict } from '../judge/judge.js';
import { Violations } from '../judge/violation.js';
import { BlowBudget } from '../killer/blow-budget.js';
import { Companion } from '../killer/companion.js';
import { isSiege, planKills } from '../killer/kill-plan.js';
import { Killer } from '../killer/killer.js';
import { checkTails, RestoreLedger } from '../killer/restore-ledger.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import { ReaderGaps } from '../witness/reader-gaps.js';
import type { SeenRecord } from '../witness/seen-record.js';
import { SeenTrail } from '../witness/seen-trail.js';
import { askJudge, snapshotsIn } from './ask-judge.js';
import type { Attack } from './attack.js';
import { assemble, type Cast, dismiss } from './cast.js';
import { CommittedPositions } from './committed-positions.js';
import { CutCheck } from './cut-check.js';
import { PlannedAttack } from './planned-attack.js';
import type { RunOptions } from './run-options.js';
import { median, rounded, type RunReport, tailsOf, withoutFindings } from './run-report.js';
import { Schedule } from './schedule.js';
import { Siege } from './siege.js';

/** Milliseconds without progress after which a service is stuck. */
const STUCK_MS = 30_000;
const POLL_MS = 200;
const MEAN_RUN_MS = 1_000;
/** Of services: brokers that the rig runs on must allow it. */
export const SESSION_MS = 1_500;
const COMPANIONS = 2;
/** Milliseconds between blows at a companion, at most. */
const COMPANION_LONGEST_MS = 6_000;

/** @param begun called once it goes on; what it is given says how far the run is, for as long as it lasts */
export async function runOnce(options: RunOptions, clock: Clock, begun: (soFar: (unfinished: string) => RunReport) => void = () => undefined): Promise<RunReport> {
  const run = await Run.prepare(options, clock);
  try {
    begun((unfinished) => run.report(undefined, undefined, unfinished));
    return await run.run();
  } finally {
    await run.close();
  }
}

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
class Run {
  readonly #began: number;
  readonly #violations = new Violations();
  readonly #ledger: RestoreLedger;
  readonly #attack: Attack;
  readonly #cuts: CutCheck;
  readonly #positions: CommittedPositions;
  readonly #flow: Flow;
  readonly #schedules: Schedules;
  readonly #feed: Feed;
  readonly #saw: readonly Followed[];
  #flowBegan: number | undefined;
  #flowEnded: number | undefined;
  #foundAfter: number | undefined;
  #tornTransactions = 0;

  private constructor(
    private readonly options: RunOptions,
    private readonly clock: Clock,
    private readonly folder: string,
    private readonly names: Names,
    private readonly cast: Cast,
  ) {
    const { job, variant, seed, readings, sensors } = options;
    const { java, feeder } = cast;
    this.#began = clock.monotonic();
    // Tasks come and go between replicas: their stores are older than the last life.
    const durable = variant !== 'memory' && variant !== 'filesystem' && variant !== 'replicas';
    this.#ledger = new RestoreLedger(durable, this.#violations);
    this.#schedules = schedulesOf(options, clock);
    this.#cuts = new CutCheck(java, { group: names.applicationId, stages: names.layout.stages }, clock, this.#violations);
    this.#positions = new CommittedPositions(java, names.applicationId, names.layout.stages);
    this.#feed = JOBS[job].feed({ seed, sensors }, names.topics);
    this.#saw = names.layout.outputs.flatMap((topic) =>
      (['java', 'weir'] as const).map((reader) => ({ reader, topic, trail: new SeenTrail(), gaps: new ReaderGaps(clock) })),
    );
    const mode = variant === 'aborted' ? 'transactions' : 'plain';
    const remainingMs = (): number => Math.max(...Object.values(this.#schedules).map((schedule) => schedule.remainingMs()));
    this.#flow = new Flow(this.#feed, feeder, { seed, readings, remainingMs, mode, clock });
    this.#attack = this.#makeAttack(durable);
  }

  #makeAttack(durable: boolean): Attack {
    const { options, names, folder, clock, cast } = this;
    const { variant, seed, kills, checkpointIntervalMs } = options;
    const entry = join(PROJECT_ROOT, 'dist', 'apps', options.sabotage === undefined ? options.job : 'verifier/sabotaged', 'main.js');
    const env = { ...environmentOf(options, names), KAFKA_BROKERS: cast.brokers, SNAPSHOT_DIR: snapshotsIn(folder) };
    const shared = { entry, env, folder, clock, violations: this.#violations };
    if (isSiege(variant)) {
      const struck = { replica: () => this.#struck('kills'), broker: () => this.#struck('brokerRestarts'), proxy: () => this.#struck('proxyFaults') };
      const { brokerRestarts, proxyFaults } = options;
      const seen = (): number => this.#saw.reduce((sum, { trail }) => sum + trail.count, 0);
      return new Siege({ ...shared, kills, brokerRestarts, proxyFaults, seed, cluster: cast.cluster!, proxies: cast.proxies, lagging: () => cast.java.lagging(), seen, struck });
    }
    const companions = Array.from({ length: variant === 'replicas' ? COMPANIONS : 0 }, (_, i) => {
      const own = { name: `companion-${i + 1}`, seed: seed + i, sessionMs: SESSION_MS, longestMs: COMPANION_LONGEST_MS, budget: new BlowBudget(Infinity) };
      return new Companion({ ...own, ...shared });
    });
    const killer = new Killer({
      ...shared,
      durable,
      ledger: this.#ledger,
      onDeath: (when) => this.#onDeath(when),
      progress: () => this.#positions.ofInputs(),
      broadcastRecords: () => this.#positions.broadcastRecords(),
    });
    const plan = planKills({ variant, seed, kills, checkpointIntervalMs, meanRunMs: MEAN_RUN_MS });
    return new PlannedAttack(killer, companions, plan, () => this.#struck('kills'));
  }

  /** Step 1. */
  static async prepare(options: RunOptions, clock: Clock): Promise<Run> {
    const below = options.folder ?? tmpdir();
    await mkdir(below, { recursive: true });
    const folder = await mkdtemp(join(below, `weir-chaos-${options.variant}-`));
    const names = namesOf(options, clock);
    const transactionalId = options.variant === 'aborted' ? `${names.applicationId}-feeder` : undefined;
    const compression = COMPRESSIONS[options.seed % COMPRESSIONS.length]!;
    const cast = await assemble({ ownCluster: isSiege(options.variant), brokers: options.brokers, input: names.input, compression, transactionalId }, clock);
    try {
      for (const topic of Object.values(names.topics)) await cast.feeder.create(topic, options.partitions);
      return new Run(options, clock, folder, names, cast);
    } catch (error) {
      await dismiss(cast);
      throw error;
    }
  }

  async run(): Promise<RunReport> {
    const { outputs } = this.names.layout;
    const followers = await this.#follow();
    await this.#feedBeforehand();
    this.#flowBegan = this.clock.monotonic();
    const flow = this.#flow.run();
    flow.catch(() => undefined); // awaited below
    if (this.options.variant === 'backlog') {
      this.#cutShort();
      await flow;
    }
    await this.#attack.strikeAll(() => this.#foundInSabotage());
    this.#cutShort();
    if (!this.#foundInSabotage() && !this.#attack.givenUp) await this.#attack.keepAlive();
    if (this.#foundInSabotage()) this.#flow.stop();
    await flow;
    this.#flowEnded = this.clock.monotonic();
    const sent = await this.cast.feeder.flush();
    if (this.#foundInSabotage() || this.#attack.givenUp) return this.report(undefined, sent);
    await this.#untilCommitted();
    await this.#attack.finish();
    for (const topic of outputs) await this.#ended('java', topic, this.cast.java.unfollow(topic));
    await Promise.all(followers.map((follower, i) => this.#ended('weir', outputs[i]!, follower.finish())));
    const verdict = await askJudge({ ...this.names, brokers: this.cast.brokers, job: this.options.job, folder: this.folder, saw: this.#saw });
    checkTails(this.#ledger.tails, verdict.largestEpoch, this.#violations);
    return this.report(verdict, sent);
  }

  async close(): Promise<void> {
    this.#flow.stop();
    await this.#attack.close();
    await dismiss(this.cast);
    if (this.#violations.none && !this.options.keep) await rm(this.folder, { recursive: true, force: true });
  }

  async #follow(): Promise<{ finish(): Promise<void> }[]> {
    const followers: { finish(): Promise<void> }[] = [];
    const { java, weir } = this.cast;
    for (const { reader, topic, trail, gaps } of this.#saw) {
      const see = (record: SeenRecord): void => {
        gaps.saw();
        trail.see(record);
      };
      if (reader === 'java') await java.follow(topic, see);
      else followers.push(weir.follow(topic, see));
    }
    return followers;
  }

  async #ended(reader: string, topic: string, end: Promise<void>): Promise<void> {
    await end.catch((error: unknown) => {
      this.#violations.add('reader-ended', `${reader}, ${topic}: ${error instanceof Error ? error.message : String(error)}`);
    });
  }

  /** Step 2. */
  async #feedBeforehand(): Promise<void> {
    const { before } = this.#feed;
    if (before.length === 0) return;
    for (const record of before) await this.cast.feeder.send(record);
    if (this.options.variant === 'aborted') await this.cast.feeder.endTransaction('commit');
    await this.cast.feeder.flush();
    await this.#keepAliveUntil('the tasks have committed that they read what they must know beforehand', () => this.#positions.broadcastsBehind());
  }

  #struck(what: keyof Schedules): void {
    this.#schedules[what].struck();
    if (!this.#violations.none) this.#foundAfter ??= this.#attack.figures.blows;
  }

  #cutShort(): void {
    for (const schedule of Object.values(this.#schedules)) schedule.cutShort();
  }

  /** Step 4. */
  async #untilCommitted(): Promise<void> {
    const { input } = this.names;
    const target = (await this.cast.java.ends(input)).reduce((sum, { lastStable }) => sum + lastStable, 0);
    await this.#keepAliveUntil('the group has committed the input', async () => target - (await this.#positions.of(input)));
    const ends = await this.#positions.shuffleEnds(); // behind which there will be barriers
    await this.#keepAliveUntil('the group has committed what shuffles held by then', () => this.#positions.behind(ends));
  }

  /** @param left how many records lack; 0 or less is the end */
  async #keepAliveUntil(what: string, left: () => Promise<number>): Promise<void> {
    const { clock } = this;
    let least = Infinity;
    let since = clock.monotonic();
    while (!this.#attack.givenUp) {
      await this.#attack.keepAlive();
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
      if ((await this.cast.java.ends(changelog)).length === 0 || (await this.cast.java.openTransactions(changelog)).length === 0) continue;
      this.#tornTransactions++;
      break;
    }
    await this.#cuts.check(when);
  }

  #foundInSabotage(): boolean {
    return this.options.sabotage !== undefined && !this.#violations.none;
  }

  /**
   * @param verdict undefined where the judge was not asked, or not yet
   * @param readings that were sent, as far as is known
   */
  report(verdict: Verdict | undefined, readings: number = this.#flow.sent, unfinished?: string): RunReport {
    const { options, clock } = this;
    const own = this.#violations;
    const judged = verdict ?? { counts: {}, samples: [], ok: true };
    const { blows, lives, startsMs, faults, restores } = this.#attack.figures;
    const kept = !own.none || !judged.ok || options.keep;
    if (!judged.ok) for (const { rule, detail } of judged.samples) own.add(rule, detail); // so that the folder is kept
    const flowMs = (this.#flowEnded ?? clock.monotonic()) - (this.#flowBegan ?? clock.monotonic());
    return {
      job: options.job,
      variant: options.variant,
      sabotage: options.sabotage,
      seed: options.seed,
      kills: blows,
      faults,
      lives,
      ok: own.none && unfinished === undefined,
      unfinished,
      foundAfterKills: this.#foundAfter,
      counts: { ...own.counts, ...judged.counts },
      samples: own.samples,
      readings,
      flowSeconds: rounded(flowMs / 1000),
      startMs: median(startsMs),
      restores: { count: this.#ledger.restores + restores.count, records: this.#ledger.records + restores.records, ...tailsOf(this.#ledger.tails) },
      readers: this.#saw.map(({ reader, topic, trail, gaps }) => ({ reader, topic, records: trail.count, longestGapMs: Math.round(gaps.longest) })),
      deathsInspected: this.#cuts.cuts,
      tornTransactions: this.#tornTransactions,
      verdict: verdict === undefined ? undefined : withoutFindings(verdict),
      seconds: rounded((clock.monotonic() - this.#began) / 1000),
      folder: kept ? this.folder : undefined,
    };
  }
}

interface Followed {
  readonly reader: 'java' | 'weir';
  readonly topic: string;
  readonly trail: SeenTrail;
  readonly gaps: ReaderGaps;
}

/** How long readings are to flow: until after the last blow of each kind. */
type Schedules = Readonly<Record<'kills' | 'brokerRestarts' | 'proxyFaults', Schedule>>;

function schedulesOf({ kills, brokerRestarts, proxyFaults, flowSeconds }: RunOptions, clock: Clock): Schedules {
  const schedule = (blows: number): Schedule => new Schedule(blows, flowSeconds * 1000, clock);
  return { kills: schedule(kills), brokerRestarts: schedule(brokerRestarts), proxyFaults: schedule(proxyFaults) };
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

export function environmentOf({ brokers, job, variant, sabotage, standbys, sigkill }: RunOptions, { applicationId, topics }: Names): Record<string, string> {
  return {
    KAFKA_BROKERS: brokers,
    APPLICATION_ID: applicationId,
    ...topics,
    STATE_BACKEND: variant === 'memory' || variant === 'filesystem' ? variant : 'rocksdb',
    ...(standbys === 0 ? {} : { STANDBYS: String(standbys) }),
    ...(variant === 'rolling' && !sigkill ? {} : { SESSION_TIMEOUT_MS: String(SESSION_MS) }),
    // Rivals, and most sabotages, are about what keeps two processes apart that know of no group.
    ...(variant === 'zombie' || sabotage !== undefined ? { REPLICAS: 'one' } : {}),
    ...(sabotage === undefined ? {} : { SABOTAGE: sabotage, SABOTAGED_JOB: job }),
  };
}
