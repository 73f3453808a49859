import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type JobOverview, sleep } from '@weir/core';
import { copyStores } from '../judge/read-stores.js';
import type { Violations } from '../judge/violation.js';
import type { Moment, Step } from './kill-plan.js';
import type { RestoreLedger } from './restore-ledger.js';
import { ServiceProcess } from './service-process.js';
import { StoreIdentities } from './store-identities.js';

/**
 * Starts the service, hits it, starts it again, and looks at what the dead leave behind. What it owns: the one process that lives (two
 * in a duel of rivals), the state directories, the logs of all lives. What it does not: the input and the output.
 *
 *   NOBODY --start--> LIVES --kill | terminate | ends by itself--> NOBODY
 *                     LIVES --pause, rival--> LIVES
 */
export interface KillerOptions {
  /** The service's program. */
  readonly entry: string;
  /** Its settings, without STATE_DIR, PORT and CHECKPOINT_INTERVAL_MS. */
  readonly env: Readonly<Record<string, string>>;
  /** Where logs, state directories and copies of stores go. */
  readonly folder: string;
  /** Whether stores outlive their process. */
  readonly durable: boolean;
  readonly clock: Clock;
  readonly violations: Violations;
  readonly ledger: RestoreLedger;
  /** Called while nobody runs. @param when in words */
  readonly onDeath: (when: string) => Promise<void>;
  /** The sum of the input offsets that the group has committed. */
  readonly progress: () => Promise<number>;
  /** The records of broadcasts, which have no such offsets: each as often as it is read. */
  readonly broadcastRecords: () => Promise<number>;
}

interface Life {
  readonly number: number;
  readonly process: ServiceProcess;
  readonly stateDir: string;
  readonly checkpointIntervalMs: number;
  /** Committed input offsets when it began. */
  readonly progressBefore: number;
  runningAfterMs: number | undefined;
}

/** Milliseconds that a service may take to come to RUNNING: far more than it needs, on a machine that is busy with other work. */
const START_LIMIT_MS = 60_000;
/** What the issue allows a service that was told to stop. */
const STOP_LIMIT_MS = 10_000;
const LAST_INTERVAL_MS = 200;
/** A service that ends by itself so often is not worth further kills. */
const MOST_SELF_ENDS = 3;

export class Killer {
  readonly #identities = new Map<string, StoreIdentities>();
  #life: Life | undefined;
  #rival: Life | undefined;
  #lives = 0;
  #blows = 0;
  #selfEnds = 0;
  #dir = 0;
  readonly #startsMs: number[] = [];

  constructor(private readonly options: KillerOptions) {}

  get lives(): number {
    return this.#lives;
  }

  get blows(): number {
    return this.#blows;
  }

  /** Milliseconds from start to RUNNING, of each life that came so far. */
  get startsMs(): readonly number[] {
    return this.#startsMs;
  }

  /** Whether further blows make no sense. */
  get givenUp(): boolean {
    return this.#selfEnds >= MOST_SELF_ENDS;
  }

  async strike(step: Step): Promise<void> {
    const life = await this.#someone(step.checkpointIntervalMs);
    await this.#reach(life, step.moment);
    if (this.#endedByItself(life)) return;
    this.#blows++;
    const { blow } = step;
    switch (blow.act) {
      case 'kill':
        await life.process.kill();
        await this.#bury(life, step.inspect || blow.wipe);
        if (blow.wipe) await this.#wipe(life.stateDir);
        return;
      case 'terminate':
        await this.#terminate(life);
        return;
      case 'pause':
        life.process.signal('SIGSTOP');
        await sleep(this.options.clock, blow.forMs);
        life.process.signal('SIGCONT');
        return;
      case 'rival':
        await this.#duel(life, blow);
        return;
    }
  }

  /** Someone runs; called again and again until the input is read. */
  async keepAlive(): Promise<void> {
    const life = await this.#someone(LAST_INTERVAL_MS);
    await this.#reach(life, { in: 'run', afterMs: 0 });
    this.#endedByItself(life);
  }

  /** The last one, by SIGTERM. */
  async finish(): Promise<void> {
    if (this.#life !== undefined && !this.#endedByItself(this.#life)) await this.#terminate(this.#life);
  }

  /** Whatever came: nobody is left. */
  async close(): Promise<void> {
    await Promise.all([this.#life?.process.kill(), this.#rival?.process.kill()]);
  }

  async #someone(checkpointIntervalMs: number): Promise<Life> {
    this.#life ??= await this.#start(checkpointIntervalMs);
    return this.#life;
  }

  async #start(checkpointIntervalMs: number): Promise<Life> {
    const { entry, env, folder, clock, progress } = this.options;
    const progressBefore = await progress();
    const number = ++this.#lives;
    const stateDir = join(folder, `state-${this.#dir}`);
    const settings = { ...env, STATE_DIR: stateDir, PORT: '0', CHECKPOINT_INTERVAL_MS: String(checkpointIntervalMs) };
    const process = new ServiceProcess({ entry, env: settings, logFile: join(folder, `service-${number}.log`), clock });
    return { number, process, stateDir, checkpointIntervalMs, progressBefore, runningAfterMs: undefined };
  }

  async #reach(life: Life, { in: phase, afterMs }: Moment): Promise<void> {
    const { clock, ledger } = this.options;
    if (phase === 'restore') await life.process.untilInitializing(START_LIMIT_MS);
    if (phase === 'run') await this.#untilRunning(life);
    await Promise.race([sleep(clock, afterMs), life.process.ended]);
    if (phase === 'run') ledger.seen(await life.process.overview());
  }

  async #untilRunning(life: Life): Promise<JobOverview | undefined> {
    const { clock, ledger, violations } = this.options;
    const job = await life.process.untilRunning(START_LIMIT_MS);
    if (job !== undefined && life.runningAfterMs === undefined) {
      life.runningAfterMs = clock.monotonic() - life.process.startedAt;
      this.#startsMs.push(life.runningAfterMs);
      ledger.restored(life.number, job);
    }
    if (job === undefined && life.process.end === undefined) {
      violations.add(
        'service-stuck',
        `life ${life.number} was not RUNNING after ${START_LIMIT_MS} ms; ${life.process.logFile} ends with\n${life.process.lastLines}`,
      );
      this.#selfEnds++;
    }
    return job;
  }

  #endedByItself(life: Life): boolean {
    const { end } = life.process;
    if (end === undefined) return false;
    if (this.#life === life) this.#life = undefined;
    // Two rivals of one name fence each other until one gives up: so it is documented.
    if (life.process.lastLines.includes('FENCED_REPEATEDLY')) return true;
    this.#selfEnds++;
    const how = end.signal ?? `exit code ${end.code}`;
    this.options.violations.add(
      'service-ended',
      `life ${life.number} ended by itself (${how}); ${life.process.logFile} ends with\n${life.process.lastLines}`,
    );
    return true;
  }

  /** What a dead process leaves behind is looked at before anybody else can touch it. */
  async #bury(life: Life, inspect: boolean): Promise<void> {
    const { durable, folder, violations, onDeath } = this.options;
    const when = `after the death of life ${life.number}`;
    this.#life = undefined;
    for (const line of life.process.rebuilds) violations.add('store-wiped', `life ${life.number} says: ${line}`);
    if (!inspect) return;
    if (durable) {
      await this.#identitiesOf(life.stateDir).check(when, life.runningAfterMs !== undefined);
      await copyStores(life.stateDir, join(folder, 'stores', `life-${life.number}`)).catch(() => undefined); // it died before it made one
    }
    await onDeath(when);
  }

  #identitiesOf(stateDir: string): StoreIdentities {
    let identities = this.#identities.get(stateDir);
    if (identities === undefined) {
      identities = new StoreIdentities(stateDir, this.options.violations);
      this.#identities.set(stateDir, identities);
    }
    return identities;
  }

  async #wipe(stateDir: string): Promise<void> {
    await rm(stateDir, { recursive: true, force: true });
    this.options.ledger.forget();
    this.#identitiesOf(stateDir).forget();
  }

  async #terminate(life: Life): Promise<void> {
    const { clock, ledger, violations } = this.options;
    const before = await life.process.overview();
    life.process.signal('SIGTERM');
    const inTime = await Promise.race([life.process.ended.then(() => true), sleep(clock, STOP_LIMIT_MS).then(() => false)]);
    const end = await life.process.kill();
    if (!inTime || end.code !== 0) {
      const how = inTime ? `ended with ${end.signal ?? `exit code ${end.code}`}` : `did not end within ${STOP_LIMIT_MS} ms`;
      violations.add(
        'stop-unclean',
        `life ${life.number} ${how} after SIGTERM; ${life.process.logFile} ends with\n${life.process.lastLines}`,
      );
    } else {
      await this.#checkFinalCheckpoint(life, before);
      ledger.stoppedInOrder();
    }
    await this.#bury(life, true);
  }

  /** All that it had read when it was told to stop is committed now. */
  async #checkFinalCheckpoint(life: Life, before: JobOverview | undefined): Promise<void> {
    const read = (before?.tasks ?? []).reduce((sum, { recordsIn }) => sum + recordsIn, 0);
    const { progress, broadcastRecords } = this.options;
    const committed = (await progress()) - life.progressBefore + (await broadcastRecords());
    if (committed < read) {
      this.options.violations.add(
        'stop-unclean',
        `life ${life.number} had read ${read} records when it was told to stop, and has committed ${committed}`,
      );
    }
  }

  async #duel(paused: Life, { forMs, duelMs }: { readonly forMs: number; readonly duelMs: number }): Promise<void> {
    const { clock, ledger } = this.options;
    paused.process.signal('SIGSTOP');
    this.#rival = paused;
    ledger.forget(); // the rival has a state directory of its own
    this.#dir = 1 - this.#dir;
    this.#life = await this.#start(paused.checkpointIntervalMs);
    await this.#reach(this.#life, { in: 'run', afterMs: forMs });
    paused.process.signal('SIGCONT');
    await sleep(clock, duelMs);
    await paused.process.kill();
    this.#rival = undefined;
    ledger.forget();
  }
}
