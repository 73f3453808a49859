import { SeededRandom } from '@weir/testing';
import { SIMULATED_JOBS, type SimulatedJob } from './work.js';

/**
 * What happens in one run of the simulation, drawn from its seed: pure, so that a seed says it all. Times are simulated milliseconds from
 * the start; replicas go by their index.
 */
export interface Scenario {
  readonly seed: number;
  readonly job: SimulatedJob;
  readonly replicas: number;
  /** False: one replica without a group. */
  readonly isGroup: boolean;
  readonly partitions: number;
  readonly backend: 'disk' | 'snapshots';
  readonly intervalMs: number;
  readonly roundTimeoutMs: number;
  readonly transactionTimeoutMs: number;
  /** Most milliseconds that a request travels, that a marker takes, and most rows of a chunk. */
  readonly network: { readonly travelMs: number; readonly markerMs: number; readonly chunkRows: number };
  readonly records: number;
  /** In the order of their times. */
  readonly faults: readonly ScenarioFault[];
  /** Until when records come and faults strike. */
  readonly durationMs: number;
}

/** Where a process is killed: the crash points of the commit, and those around it. */
export const KILL_POINTS = {
  'before-produce': 'append:send',
  'produced-offsets-not-sent': 'addOffsets:send',
  'before-end-txn': 'commit:send',
  'end-txn-reply-lost': 'commit:applied',
  'committed-store-not-written': 'commit:replied',
  'mid-restore': 'fetch:replied',
  'mid-rebalance': 'joinGroup:applied',
  'mid-sync': 'syncGroup:replied',
  'mid-claim': 'openWriter:applied',
  'mid-report': 'publish:applied',
  'mid-purge': 'deleteRecords:send',
} as const;
export type KillPoint = keyof typeof KILL_POINTS;
const KILL_POINT_NAMES = Object.keys(KILL_POINTS) as readonly KillPoint[];

interface At {
  readonly at: number;
}
interface AtReplica extends At {
  readonly replica: number;
}
export type ScenarioFault =
  | (AtReplica & { readonly type: 'kill' })
  /** At the next call of that sort but `skip`, whoever makes it. */
  | (At & { readonly type: 'kill-at'; readonly point: KillPoint; readonly skip: number })
  /** While it writes its round. */
  | (At & { readonly type: 'kill-coordinator'; readonly skip: number })
  | (At & { readonly type: 'kill-in-snapshot'; readonly skip: number })
  | (AtReplica & { readonly type: 'zombie'; readonly forMs: number })
  | (AtReplica & { readonly type: 'stop' })
  | (At & { readonly type: 'join' })
  | (At & { readonly type: 'rebalance-storm'; readonly every: number })
  | (AtReplica & { readonly type: 'partition'; readonly forMs: number })
  | (At & { readonly type: 'lose-replies'; readonly probability: number; readonly forMs: number })
  | (At & { readonly type: 'log-fails'; readonly probability: number; readonly forMs: number })
  /** The client gives a request up, and it arrives all the same, later. */
  | (At & { readonly type: 'late-request'; readonly lateMs: number; readonly skip: number })
  | (At & { readonly type: 'expire-transaction' })
  | (At & { readonly type: 'leader-move' })
  | (At & { readonly type: 'compaction' })
  | (At & { readonly type: 'clock-jump'; readonly byMs: number })
  | (AtReplica & { readonly type: 'disk-full'; readonly skip: number })
  | (AtReplica & { readonly type: 'disk-lost' | 'disk-damaged' })
  /** The process dies later, and finds the disk as it is now. */
  | (AtReplica & { readonly type: 'disk-stale'; readonly afterMs: number });

export type FaultType = ScenarioFault['type'];
/** More often, what others in this file's list do not bring about by the way. */
const WEIGHTS: Readonly<Record<FaultType, number>> = {
  kill: 3,
  'kill-at': 8,
  'kill-coordinator': 2,
  'kill-in-snapshot': 1,
  zombie: 4,
  stop: 3,
  join: 1,
  'rebalance-storm': 1,
  partition: 3,
  'lose-replies': 2,
  'log-fails': 2,
  'late-request': 2,
  'expire-transaction': 1,
  'leader-move': 1,
  compaction: 1,
  'clock-jump': 1,
  'disk-full': 1,
  'disk-lost': 1,
  'disk-damaged': 1,
  'disk-stale': 1,
};
export const FAULT_TYPES = Object.keys(WEIGHTS) as readonly FaultType[];

const HOUR_MS = 3_600_000;
/** Of what is drawn here: apart from the streams of clock, cluster and input. */
const SCENARIO_STREAM = 5;

/** @param only the job, if it is not to be drawn; what else is drawn stays the same */
export function scenarioOf(seed: number, only?: SimulatedJob): Scenario {
  const random = new SeededRandom(seed).fork(SCENARIO_STREAM);
  const drawn = random.pick(SIMULATED_JOBS);
  const replicas = random.between(1, 4);
  const isGroup = replicas > 1 || random.chance(0.5);
  const durationMs = random.between(800, 2_500);
  const shape = {
    seed,
    job: only ?? drawn,
    replicas,
    isGroup,
    partitions: random.between(2, 4),
    backend: random.chance(0.85) ? ('disk' as const) : ('snapshots' as const),
    intervalMs: random.pick([50, 100, 200]),
    roundTimeoutMs: random.pick([600_000, 600_000, 1_500]),
    transactionTimeoutMs: random.pick([1_500, 10_000]),
    network: { travelMs: random.pick([2, 5, 15]), markerMs: random.pick([0, 15, 40]), chunkRows: random.pick([3, 20]) },
    records: random.between(40, 120),
    durationMs,
  };
  const faults = Array.from({ length: random.between(1, 6) }, () => drawFault(random, shape));
  return { ...shape, faults: faults.sort((a, b) => a.at - b.at) };
}

const TOTAL_WEIGHT = FAULT_TYPES.reduce((sum, type) => sum + WEIGHTS[type], 0);

function drawType(random: SeededRandom): FaultType {
  let left = random.between(1, TOTAL_WEIGHT);
  return FAULT_TYPES.find((type) => (left -= WEIGHTS[type]) <= 0)!;
}

function drawFault(random: SeededRandom, { durationMs, replicas }: Pick<Scenario, 'durationMs' | 'replicas'>): ScenarioFault {
  const type = drawType(random);
  const at = random.between(0, durationMs);
  const replica = random.between(0, replicas - 1);
  const skip = random.between(0, 8);
  switch (type) {
    case 'kill':
    case 'stop':
    case 'disk-lost':
    case 'disk-damaged':
      return { type, at, replica };
    case 'kill-at':
      return { type, at, point: random.pick(KILL_POINT_NAMES), skip };
    case 'kill-coordinator':
    case 'kill-in-snapshot':
      return { type, at, skip };
    case 'disk-full':
      return { type, at, replica, skip };
    case 'zombie':
    case 'partition':
      return { type, at, replica, forMs: random.between(100, 3_500) };
    case 'rebalance-storm':
      return { type, at, every: random.between(20, 300) };
    case 'lose-replies':
    case 'log-fails':
      return { type, at, probability: random.pick([0.05, 0.3]), forMs: random.between(100, 1_000) };
    case 'late-request':
      return { type, at, lateMs: random.between(1, 400), skip };
    case 'clock-jump':
      return { type, at, byMs: random.between(-6 * HOUR_MS, 6 * HOUR_MS) };
    case 'disk-stale':
      return { type, at, replica, afterMs: random.between(50, 1_000) };
    case 'join':
    case 'expire-transaction':
    case 'leader-move':
    case 'compaction':
      return { type, at };
  }
}

/** In words, for whoever looks at a seed. */
export function spelledScenario({ faults, network, ...shape }: Scenario): string {
  const lines = faults.map(({ type, at, ...facts }) => `  ${String(at).padStart(5)} ms  ${[type, ...Object.entries(facts).map(([name, value]) => `${name}=${value}`)].join(' ')}`);
  return [JSON.stringify({ ...shape, ...network }), ...lines].join('\n');
}
