import { SeededRandom } from '@weir/testing';

/**
 * When in its life a process is hit:
 *   start     milliseconds after it was started: mostly before it has loaded its code, or as it claims its transactional ids
 *   restore   milliseconds after its job began to initialise
 *   run       milliseconds after its job came to RUNNING
 */
export type Moment = { readonly in: 'start' | 'restore' | 'run'; readonly afterMs: number };

/**
 * What is done to it:
 *   kill       SIGKILL, and a restart at once
 *   terminate  SIGTERM, its end awaited, and a restart
 *   pause      SIGSTOP, SIGCONT after `forMs`; the process goes on
 *   rival      SIGSTOP; another process with the same application id takes over, and runs for `forMs`; then SIGCONT, and both run for
 *              `duelMs`; then the paused one is killed
 */
export type Blow =
  | { readonly act: 'kill'; readonly wipe: boolean }
  | { readonly act: 'terminate' }
  | { readonly act: 'pause'; readonly forMs: number }
  | { readonly act: 'rival'; readonly forMs: number; readonly duelMs: number };

export interface Step {
  readonly moment: Moment;
  readonly blow: Blow;
  /** Milliseconds between the checkpoints of the life that is ended by this step. */
  readonly checkpointIntervalMs: number;
  /** Whether the rig looks at what the dead process left behind, before the next one starts. Others start at once. */
  readonly inspect: boolean;
}

export const VARIANTS = {
  kill: 'SIGKILL at random times',
  wipe: 'SIGKILL, and the state directory deleted between some of them',
  memory: 'SIGKILL, with state on the heap',
  filesystem: 'SIGKILL, with state in snapshots on the filesystem',
  term: 'SIGTERM at random times',
  pause: 'SIGSTOP for two seconds, then SIGCONT',
  zombie: 'SIGSTOP, a rival takes over, then SIGCONT',
  aborted: 'SIGKILL, and an input with aborted transactions',
  backlog: 'SIGKILL while an input that was there before is caught up with',
  rolling: 'SIGTERM of three replicas in turn, each started again: how long a partition is silent for readers',
  replicas: 'three replicas share the tasks, and each is killed, stopped or paused beyond its session at random times',
  brokers: 'the same, and of three brokers one at a time is killed, stopped or paused; in between the network is disturbed',
  proxy: 'the same three replicas, and a network that cuts, delays, stalls and loses answers',
} as const;

export type Variant = keyof typeof VARIANTS;
export const VARIANT_NAMES = Object.keys(VARIANTS) as readonly Variant[];

/** Variants that have a cluster of their own, and strike everywhere at once: no plan can tell what comes after what (rig/siege.ts). */
export const SIEGES = ['brokers', 'proxy'] as const satisfies readonly Variant[];
export type SiegeVariant = (typeof SIEGES)[number];
export type PlannedVariant = Exclude<Variant, SiegeVariant>;

export const isSiege = (variant: Variant): variant is SiegeVariant => (SIEGES as readonly Variant[]).includes(variant);
export const PLANNED_NAMES = VARIANT_NAMES.filter((name): name is PlannedVariant => !isSiege(name));

export interface PlanOptions {
  readonly seed: number;
  readonly kills: number;
  readonly variant: PlannedVariant;
  /** Milliseconds; half of the lives take them more often. */
  readonly checkpointIntervalMs: number;
  /** Milliseconds that a process runs, on average, before it is hit. */
  readonly meanRunMs: number;
}

/** So long that whatever is committed, the final checkpoint has committed. */
export const NO_CHECKPOINTS_MS = 600_000;

const START_MS = 900;
const RESTORE_MS = 250;
const PAUSE_MS = 2_000;
/** A backlog is caught up with in about a second. */
const CATCH_UP_MS = 800;
const INSPECTED = 0.7;
/** Every other life takes checkpoints so much more often, so that more kills hit one. */
const HURRY = 5;
const SHORTEST_INTERVAL_MS = 10;

/** The blows of a run: the same for the same seed, though the service never meets them in the same place twice. */
export function planKills(options: PlanOptions): Step[] {
  const random = new SeededRandom(options.seed).fork(2);
  const wipes = new Set<number>();
  if (options.variant === 'wipe') {
    // Between two kills: not after the last one.
    for (let i = 0; i < Math.max(1, Math.floor(options.kills / 3)); i++) wipes.add(random.between(0, Math.max(0, options.kills - 2)));
  }
  return Array.from({ length: options.kills }, (_, i) => {
    const step = planStep(options, random, i, wipes.has(i));
    return wipes.has(i) || wipes.has(i - 1) ? atWork(step, options.meanRunMs) : step;
  });
}

/** A deletion is worth something only if there was something to delete, and if the life behind it comes to restore all of it. */
function atWork(step: Step, meanRunMs: number): Step {
  return { ...step, moment: { in: 'run', afterMs: step.moment.in === 'run' ? Math.max(step.moment.afterMs, meanRunMs) : meanRunMs } };
}

function planStep({ variant, checkpointIntervalMs, meanRunMs }: PlanOptions, random: SeededRandom, index: number, wipe: boolean): Step {
  const run: Moment = { in: 'run', afterMs: random.between(0, variant === 'backlog' ? CATCH_UP_MS : 2 * meanRunMs) };
  const hurried = Math.max(SHORTEST_INTERVAL_MS, Math.round(checkpointIntervalMs / HURRY));
  const intervalMs = random.chance(0.5) ? checkpointIntervalMs : hurried;
  const step = (moment: Moment, blow: Blow): Step => ({
    moment,
    blow,
    checkpointIntervalMs: intervalMs,
    inspect: random.chance(INSPECTED),
  });
  switch (variant) {
    case 'rolling': // has a plan of its own (rig/rolling.ts)
    case 'term':
      return { ...step(run, { act: 'terminate' }), checkpointIntervalMs: index % 2 === 0 ? NO_CHECKPOINTS_MS : intervalMs };
    case 'pause':
      return step(run, { act: 'pause', forMs: PAUSE_MS });
    case 'zombie':
      return step(run, { act: 'rival', forMs: random.between(0, 2 * meanRunMs), duelMs: random.between(100, 1500) });
    case 'replicas':
      return { ...step(run, { act: 'kill', wipe }), inspect: false }; // the others live on
    case 'kill':
    case 'wipe':
    case 'memory':
    case 'filesystem':
    case 'aborted':
    case 'backlog':
      return step(killMoment(run, random, index), { act: 'kill', wipe });
  }
}

/** Most kills hit a process that runs; of the others, some hit its start and some its restore, from the third kill on. */
function killMoment(run: Moment, random: SeededRandom, index: number): Moment {
  const start: Moment = { in: 'start', afterMs: random.between(0, START_MS) };
  const restore: Moment = { in: 'restore', afterMs: random.between(0, RESTORE_MS) };
  const drawn = random.next();
  if (index < 2) return run;
  if (index === 2) return restore;
  if (index === 3) return start;
  return drawn < 0.6 ? run : drawn < 0.8 ? restore : start;
}
