import { ByteWriter, type Codec, clockOf, createJob, float64, json, RecordColumns, RecordWriter, silentTelemetry, utf8 } from '@weir/core';
import type { Alert } from '../input/alert-digest.js';
import { sensorId } from '../input/fleet.js';
import { APPLICATION_ID, NowhereStore, nowhere, type ReplayInput, ReplayLog } from '../replay/replay-log.js';
import { median } from '../report/figures.js';
import { sensorReadingCodec, temperatureJob } from '../run/temperature-job.js';
import { batchEncoders, keyTables, recordSetReaders } from './insides.js';
import { plainLoop } from './plain-loop.js';
import { preparedChunks } from './prepared-chunks.js';

/**
 * One figure each: nanoseconds of processor time for one record, key or value, all threads of the process together, so that neither other
 * programs nor the collector's own threads blur it. Each case runs in a process of its own: how V8 compiles a function depends on
 * everything that called it before.
 */
export const MICRO_CASES = {
  'plain loop with a Map, 1,000 keys': () => loop(1_000),
  'plain loop with a Map, 500,000 keys': () => loop(500_000),
  'the job without Kafka or store, 1,000 keys': () => engine(1_000, NO_COMMITS_MS),
  'the job without Kafka or store, 500,000 keys': () => engine(500_000, NO_COMMITS_MS),
  'the same with commits every 100 ms, 1,000 keys': () => engine(1_000, 100),
  'the same with commits every 100 ms, 500,000 keys': () => engine(500_000, 100),
  'Map.get, hit among 1,000': () => mapHit(1_000),
  'KeyTable.resolve, hit among 1,000': () => tableHit(1_000),
  'Map.get, hit among 500,000': () => mapHit(500_000),
  'KeyTable.resolve, hit among 500,000': () => tableHit(500_000),
  'Map.get and set, miss': () => mapMiss(),
  'KeyTable.resolve and load, miss': () => tableMiss(),
  'decode sensor-reading-csv': () => decoding(sensorReadingCodec(), READING),
  'encode sensor-reading-csv': () => encoding(sensorReadingCodec(), READING),
  'decode utf8': () => decoding(Promise.resolve(utf8), 'sensor_123456'),
  'encode utf8': () => encoding(Promise.resolve(utf8), 'sensor_123456'),
  'decode float64': () => decoding(Promise.resolve(float64), 35.8),
  'encode float64': () => encoding(Promise.resolve(float64), 35.8),
  'decode json': () => decoding(Promise.resolve(json<Alert>()), ALERT),
  'encode json': () => encoding(Promise.resolve(json<Alert>()), ALERT),
  'decode record batch': () => batchDecoding(),
  'encode record batch': () => batchEncoding(),
} as const satisfies Record<string, () => Promise<number>>;

export type MicroCase = keyof typeof MICRO_CASES;

const ROWS = 1_000_000;
const ROUNDS = 9;
const WARM_UP_ROUNDS = 3;
/** The longest interval that settings allow: no commit comes while a case runs. */
const NO_COMMITS_MS = 600_000;
/** More keys than any case has: nothing is evicted, and no epoch is full. */
const EVERY_KEY = 10_000_000;
const READING = { id: 'sensor_123456', timestamp: 1_547_718_199, temperature: 35.8 };
const ALERT: Alert = { id: 'sensor_123456', lastTemperature: 35.8, temperature: 47.1, timestamp: 1_547_718_199 };
const clock = clockOf(globalThis);

/** Results go here, so that no work can be found useless and left out. */
let sink: unknown;

function nanosecondsSince(began: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(began);
  return (user + system) * 1_000;
}

/** @param round does its work so many times as it returns */
function measure(round: () => number): number {
  const nanoseconds: number[] = [];
  for (let i = 0; i < WARM_UP_ROUNDS + ROUNDS; i++) {
    const began = process.cpuUsage();
    const times = round();
    nanoseconds.push(nanosecondsSince(began) / times);
  }
  return median(nanoseconds.slice(WARM_UP_ROUNDS));
}

async function loop(sensors: number): Promise<number> {
  const chunks = preparedChunks(sensors, ROWS);
  const temperatures = new Map<string, number>();
  return measure(() => {
    const alerts: string[] = [];
    sink = plainLoop(chunks, temperatures, alerts);
    return ROWS;
  });
}

/** The main job through createJob, its log and its store in memory that costs nothing. The keys' first round is their miss. */
async function engine(sensors: number, intervalMs: number): Promise<number> {
  const chunks = preparedChunks(sensors, ROWS);
  const rounds = WARM_UP_ROUNDS + ROUNDS;
  const spent = await new Promise<number>((resolve, reject) => {
    start(repeated(chunks, rounds, resolve)).catch(reject);
  });
  return spent / (ROWS * rounds);

  async function start(input: ReplayInput): Promise<void> {
    const settings = { applicationId: APPLICATION_ID, group: 'none', parallelism: 1, checkpointing: { interval: intervalMs }, state: { cacheEntries: EVERY_KEY } } as const;
    const ports = { log: new ReplayLog({ inputs: { in: input }, partitions: 1 }).factory, state: nowhere, clock, telemetry: silentTelemetry };
    createJob('temperature-alerts', await temperatureJob('in', 'out'), settings, ports).start();
  }
}

/** @param onEnd called once the last chunk was processed, with the nanoseconds since the first was asked for */
function repeated(chunks: readonly RecordColumns[], rounds: number, onEnd: (nanoseconds: number) => void): ReplayInput {
  let began: NodeJS.CpuUsage | undefined;
  let taken = 0;
  const all = chunks.length * rounds;
  const next = (): RecordColumns | undefined => {
    began ??= process.cpuUsage();
    if (taken < all) return chunks[taken++ % chunks.length];
    if (taken++ === all) onEnd(nanosecondsSince(began));
    return undefined;
  };
  return { partitions: 1, rows: ROWS * rounds, next };
}

/** Ids in an order that no cache of the processor can foresee; each its own string, as a decoder makes them. */
function scattered(count: number, of: number): string[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(sensorId((i * 7_919) % of)).toString('latin1'));
}

async function mapHit(keys: number): Promise<number> {
  const map = new Map(scattered(keys, keys).map((id) => [id, { value: 1 }]));
  const ids = scattered(ROWS, keys);
  return measure(() => {
    for (const id of ids) sink = map.get(id);
    return ROWS;
  });
}

async function tableHit(keys: number): Promise<number> {
  const { KeyTable } = await keyTables();
  const table = new KeyTable<string>({ codec: utf8, maxParallelism: 128, limit: EVERY_KEY });
  for (const id of scattered(keys, keys)) table.resolve(id);
  const ids = scattered(ROWS, keys);
  return measure(() => {
    for (const id of ids) sink = table.resolve(id);
    return ROWS;
  });
}

const MISSES = 200_000;

async function mapMiss(): Promise<number> {
  const ids = scattered(MISSES, MISSES);
  return measure(() => {
    const map = new Map<string, { value: number }>();
    for (const id of ids) if (map.get(id) === undefined) map.set(id, { value: 1 });
    sink = map;
    return MISSES;
  });
}

/** As a task does it: by chunks of a reader, the missing values of each read at once, from a store that costs nothing. */
async function tableMiss(): Promise<number> {
  const { KeyTable } = await keyTables();
  const ids = scattered(MISSES, MISSES);
  const store = new NowhereStore();
  return measure(() => {
    const table = new KeyTable<string>({ codec: utf8, maxParallelism: 128, limit: EVERY_KEY });
    table.declare({ stateId: 1, operator: 'o', name: 's', codec: float64 });
    ids.forEach((id, i) => {
      table.resolve(id);
      if (i % 4_096 === 0) table.loadMissing(store);
    });
    table.loadMissing(store);
    sink = table;
    return MISSES;
  });
}

async function decoding<T>(made: Promise<Codec<T>>, value: T): Promise<number> {
  const codec = await made;
  const out = new ByteWriter();
  codec.encode(value, out);
  const bytes = out.copy();
  return measure(() => {
    for (let i = 0; i < ROWS; i++) sink = codec.decode(bytes, 0, bytes.length);
    return ROWS;
  });
}

async function encoding<T>(made: Promise<Codec<T>>, value: T): Promise<number> {
  const codec = await made;
  const out = new ByteWriter();
  return measure(() => {
    for (let i = 0; i < ROWS; i++) {
      out.clear();
      codec.encode(value, out);
    }
    sink = out.length;
    return ROWS;
  });
}

const PRODUCER = { producerId: 1, producerEpoch: 0, sequence: 0, transactional: true };
const BATCH_BYTES = 1_000_000;

/** Readings in one piece of columns, as a producer hands them over. */
function readings(): RecordColumns {
  const rows = new RecordWriter(1 << 20);
  for (const chunk of preparedChunks(1_000, 200_000)) {
    for (let row = 0; row < chunk.count; row++) rows.add(chunk.timestamp[row]!, chunk.key(row), chunk.value(row));
  }
  return rows.columns;
}

async function batchEncoding(): Promise<number> {
  const { encodeBatch } = await batchEncoders();
  const rows = readings();
  return measure(() => {
    let from = 0;
    while (from < rows.count) from += encodeBatch(rows, from, BATCH_BYTES, 'none', PRODUCER).rows;
    return rows.count;
  });
}

async function batchDecoding(): Promise<number> {
  const { encodeBatch } = await batchEncoders();
  const { RecordSetReader } = await recordSetReaders();
  const rows = readings();
  const { bytes, rows: count } = encodeBatch(rows, 0, BATCH_BYTES, 'none', PRODUCER);
  const reader = new RecordSetReader('micro', 0);
  const columns = new RecordColumns();
  return measure(() => {
    let read = 0;
    reader.start(bytes, 0, []);
    for (let more = true; more; read += columns.count) more = reader.read(columns, 4_096);
    if (read !== count) throw new Error(`${read} of ${count} rows were read.`);
    return count;
  });
}

/** Keeps `sink` alive. */
export const lastResult = (): unknown => sink;
