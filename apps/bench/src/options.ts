import { parseArgs } from 'node:util';

/** What `npm run bench -- ...` was asked for. */
export const COMMANDS = ['compare', 'latency', 'memory', 'micro', 'parallelism', 'pressure', 'profile', 'states'] as const;
export type Command = (typeof COMMANDS)[number];

export const PEERS = ['bare', 'weir', 'kafka-streams'] as const;
export type PeerName = (typeof PEERS)[number];

export const BACKENDS = ['rocksdb', 'memory'] as const;
export type Backend = (typeof BACKENDS)[number];

export interface BenchOptions {
  readonly command: Command;
  readonly records: number;
  /** Undefined: the key sets of the standard scenarios. */
  readonly sensors: number | undefined;
  readonly partitions: number;
  readonly parallelism: number;
  readonly intervalMs: number;
  /** `state.cacheEntries`, keys per task. Undefined: what the scenario says. */
  readonly cacheEntries: number | undefined;
  readonly backend: Backend;
  readonly runs: number;
  readonly peers: readonly PeerName[];
  /** Most bytes in a batch of the producer of the input. */
  readonly batchBytes: number;
  readonly seed: number;
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
  /** For `pressure`: microseconds of work for each record of the slow stage. */
  readonly workMicros: number;
  /** For `parallelism`: seconds for which the idle cost is measured. */
  readonly idleSeconds: number;
  /** For `memory`, in bytes: what the process may have resident, what of it RocksDB's budget is, and what V8's old space. */
  readonly limitBytes: number;
  readonly budgetBytes: number;
  readonly heapBytes: number;
}

/** Kafka's default `batch.size`. */
const SMALL_BATCH_BYTES = 16_384;
/** What a producer that is tuned for throughput fills. */
const LARGE_BATCH_BYTES = 262_144;

/** An argument that cannot be used. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export const USAGE = `npm run bench -- [compare | latency | memory | micro | parallelism | pressure | profile | states] [options]

  compare      weir, the bare data path and Kafka Streams on the same input, run in turn (the default)
  latency      how long a record's output takes to be readable, EXACTLY_ONCE and AT_LEAST_ONCE in turn, with and without a shuffle
  memory       5 million keys of 100 bytes in RocksDB, and a map of a million entries, in processes that may have 700 MB resident
  micro        costs per record of single parts, without a broker, beside a plain loop with a Map
  parallelism  the same work in 1, 2, 4, 8 ... tasks, and what an idle task costs
  pressure     a slow stage alone and behind a shuffle: records between the stages, rounds, memory, and the slow stage's throughput
  profile      one run of weir under Node's CPU profiler, and where its time went
  states       what each kind of state costs per operation, in memory and in RocksDB, beside a plain Map

  --records N      readings (2000000; 200000 for states and pressure)
  --sensors N      keys; default: the standard scenarios (1000 and 500000 keys); 5000000 for memory, 50000 for states
  --partitions N   of the input (4; 8 for parallelism)
  --parallelism N  tasks (as many as partitions, at most 4)
  --interval MS    between checkpoints (500)
  --cache N        keys that a task keeps on the heap (by scenario)
  --backend NAME   ${BACKENDS.join(' or ')}; Kafka Streams always has RocksDB (rocksdb)
  --runs N         runs of each peer; the median counts (3)
  --quick          one run
  --peers LIST     of ${PEERS.join(',')} (all)
  --batches SIZE   of the input's producer: large (256 KB), small (16 KB, Kafka's default) or bytes (large)
  --seed N         of the readings (1)
  --work US        microseconds that the slow stage of pressure takes for each record (100)
  --idle-seconds N for which parallelism measures idle tasks (10)
  --limit MB       that a process of memory may have resident (700)
  --budget MB      of it for all stores together: memoryBudgetBytes (256)
  --heap MB        of it for V8's old space (200)
  --json FILE      write the figures there, too`;

/** @throws OptionError that names the option, what came and what is allowed */
export function optionsFrom(args: readonly string[]): BenchOptions {
  const { values, positionals } = parse(args);
  const command = oneOf('command', positionals[0] ?? 'compare', COMMANDS);
  if (positionals.length > 1) throw new OptionError(`One command is taken, and ${positionals.join(' ')} came.`);
  const partitions = whole('partitions', values.partitions, command === 'parallelism' ? 8 : 4, 1, 1_000);
  const parallelism = whole('parallelism', values.parallelism, Math.min(partitions, 4), 1, partitions);
  return {
    command,
    records: whole('records', values.records, command === 'states' || command === 'pressure' ? 200_000 : 2_000_000, 1_000, 1_000_000_000),
    sensors: values.sensors === undefined ? undefined : whole('sensors', values.sensors, 0, 1, 50_000_000),
    partitions,
    parallelism,
    intervalMs: whole('interval', values.interval, 500, 10, 600_000),
    cacheEntries: values.cache === undefined ? undefined : whole('cache', values.cache, 0, 1, 100_000_000),
    backend: oneOf('backend', values.backend ?? 'rocksdb', BACKENDS),
    runs: whole('runs', values.runs, values.quick === true ? 1 : 3, 1, 100),
    peers: (values.peers ?? PEERS.join(',')).split(',').map((peer) => oneOf('peers', peer, PEERS)),
    batchBytes: batches(values.batches ?? 'large'),
    seed: whole('seed', values.seed, 1, 0, 2 ** 32 - 1),
    json: values.json,
    workMicros: whole('work', values.work, 100, 0, 1_000_000),
    idleSeconds: whole('idle-seconds', values['idle-seconds'], 10, 1, 3_600),
    limitBytes: megabytes('limit', values.limit, 700),
    budgetBytes: megabytes('budget', values.budget, 256),
    heapBytes: megabytes('heap', values.heap, 200),
  };
}

function parse(args: readonly string[]): ReturnType<typeof parseAll> {
  try {
    return parseAll(args);
  } catch (thrown) {
    throw new OptionError((thrown as Error).message);
  }
}

const parseAll = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      records: { type: 'string' },
      sensors: { type: 'string' },
      partitions: { type: 'string' },
      parallelism: { type: 'string' },
      interval: { type: 'string' },
      cache: { type: 'string' },
      backend: { type: 'string' },
      runs: { type: 'string' },
      quick: { type: 'boolean' },
      peers: { type: 'string' },
      batches: { type: 'string' },
      seed: { type: 'string' },
      json: { type: 'string' },
      work: { type: 'string' },
      'idle-seconds': { type: 'string' },
      limit: { type: 'string' },
      budget: { type: 'string' },
      heap: { type: 'string' },
    },
  });

function batches(value: string): number {
  if (value === 'large') return LARGE_BATCH_BYTES;
  if (value === 'small') return SMALL_BATCH_BYTES;
  return whole('batches', value, 0, 1_024, 1_000_000);
}

const MEGABYTE = 1_000_000;
const megabytes = (option: string, value: string | undefined, fallback: number): number => whole(option, value, fallback, 1, 1_000_000) * MEGABYTE;

function whole(option: string, value: string | undefined, fallback: number, least: number, most: number): number {
  if (value === undefined) return fallback;
  const number = /^\d[\d_]*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN;
  if (number >= least && number <= most) return number;
  throw new OptionError(`--${option} is ${JSON.stringify(value)}; allowed: a whole number from ${least} to ${most}.`);
}

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((each) => each === value);
  if (found !== undefined) return found;
  throw new OptionError(`${option} is ${JSON.stringify(value)}; allowed: ${allowed.join(', ')}.`);
}
