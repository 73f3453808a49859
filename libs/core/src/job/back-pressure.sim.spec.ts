import { describe, expect, it } from '@jest/globals';
import { JobTestDriver } from '@weir/testing';
import { float64, utf8 } from '../codec/primitives.js';
import type { Log, LogFactory, LogReader } from '../ports/log.js';
import type { Clock } from '../ports/clock.js';
import { topic } from '../topology/topic.js';
import type { JobDefinition } from './job-definition.js';
import type { JobSettings } from './settings.js';

/** A job whose second stage is slow: what its repartition topic holds, how long its rounds take, and that nothing is lost by being held back. */
const VALUE_BYTES = 8_192;
const RECORDS = 3_000;
const STAGE_TASKS = 4;
const INPUT = topic('in', { key: utf8, value: utf8 });
const COUNTS = topic('counts', { key: utf8, value: float64 });
const SHUFFLE = 'test-0-by-key-repartition';

const counting: JobDefinition = {
  define: (streams) =>
    streams
      .source('in', INPUT)
      .keyBy(utf8, (value) => value.slice(0, 3), { name: 'by-key', value: utf8 })
      .mapWithState<number, number>('count', float64, (_value, before = 0) => ({ state: before + 1, value: before + 1 }))
      .sink('counts', COUNTS),
};

/** How slow the second stage is now. */
interface Pace {
  msPerRow: number;
}

/** The log, but rows of shuffles are handed out at a pace: as if the functions behind them took that long for each. */
const paced = (pace: Pace) => (log: LogFactory): LogFactory => ({
  open: async (context) => {
    const opened = await log.open(context);
    const openReader: Log['openReader'] = (options) => new PacedReader(opened.openReader(options), context.clock, options.wake, pace);
    return new Proxy(opened, { get: (target, name: keyof Log) => (name === 'openReader' ? openReader : bound(target, name)) });
  },
});

const bound = (target: Log, name: keyof Log): unknown => {
  const member: unknown = Reflect.get(target, name);
  return typeof member === 'function' ? (member.bind(target) as unknown) : member;
};

class PacedReader implements LogReader {
  #freeAt = 0;
  readonly assign: LogReader['assign'];
  readonly unassign: LogReader['unassign'];
  readonly pause: LogReader['pause'];
  readonly resume: LogReader['resume'];
  readonly close: LogReader['close'];

  constructor(
    private readonly reader: LogReader,
    private readonly clock: Clock,
    private readonly wake: () => void,
    private readonly pace: Pace,
  ) {
    this.assign = reader.assign.bind(reader);
    this.unassign = reader.unassign.bind(reader);
    this.pause = reader.pause.bind(reader);
    this.resume = reader.resume.bind(reader);
    this.close = reader.close.bind(reader);
  }

  take(): ReturnType<LogReader['take']> {
    const now = this.clock.monotonic();
    if (now < this.#freeAt) return undefined;
    const chunk = this.reader.take();
    if (chunk !== undefined && chunk.topic === SHUFFLE && this.pace.msPerRow > 0) {
      this.#freeAt = now + chunk.records.count * this.pace.msPerRow;
      this.clock.after(this.#freeAt - now, this.wake);
    }
    return chunk;
  }
}

/** What was seen of a run, looked at every 100 ms. */
interface Seen {
  /** Most bytes of values in the repartition topic that the second stage had not committed. */
  readonly mostBehind: number;
  readonly tookMs: number;
}

async function start(pace: Pace, settings: Partial<JobSettings> = {}): Promise<JobTestDriver> {
  const options = { topics: { in: 4, counts: 4 }, outputs: ['counts'], network: { chunkRows: [10, 10] as const }, log: paced(pace) };
  return JobTestDriver.start(counting, { ...options, settings: { parallelism: STAGE_TASKS, checkpointing: { interval: 100, timeout: 8_000 }, ...settings } });
}

function pipe(driver: JobTestDriver, count = RECORDS): void {
  const padding = '.'.repeat(VALUE_BYTES - 3);
  for (let i = 0; i < count; i++) driver.pipe(INPUT, String(i), `${String(i % 100).padStart(3, '0')}${padding}`, { partition: i % 4 });
}

const rowsBehind = (driver: JobTestDriver): number => {
  const committed = new Map(driver.cluster.committedOffsets('test').map(({ topic: name, partition, offset }) => [`${name}-${partition}`, offset as number]));
  return driver.cluster.committedRecords(SHUFFLE, 0).concat(...[1, 2, 3].map((partition) => driver.cluster.committedRecords(SHUFFLE, partition)))
    .filter(({ partition, offset, value }) => value !== null && value.length >= VALUE_BYTES && offset >= (committed.get(`${SHUFFLE}-${partition}`) ?? 0)).length;
};

async function untilCounted(driver: JobTestDriver, count = RECORDS, limitMs = 300_000, lookMs = 100): Promise<Seen> {
  const began = driver.clock.monotonic();
  let mostBehind = 0;
  while (driver.readAll(COUNTS).length < count) {
    if (driver.clock.monotonic() - began > limitMs) throw new Error(`Only ${driver.readAll(COUNTS).length} of ${count} were counted`);
    await driver.advance(lookMs);
    mostBehind = Math.max(mostBehind, rowsBehind(driver) * VALUE_BYTES);
  }
  return { mostBehind, tookMs: driver.clock.monotonic() - began };
}

/** Each key's counts without gap or repetition. */
function verify(driver: JobTestDriver, count = RECORDS): void {
  const seen = driver.readAll(COUNTS).map(({ value }) => value!).sort((a, b) => a - b);
  expect(seen).toEqual(Array.from({ length: count }, (_, i) => Math.floor(i / 100) + 1));
}

/** Of a task that feeds a shuffle, with the aim of 2 s that a timeout of 8 s leaves. */
const FIRST_BUDGET = 128 * 1024 * 2.1;
/** Rows that a slice may exceed the budget by. */
const SLICE = 10 * VALUE_BYTES;

describe('a job whose second stage is slow', () => {
  it('completes its rounds within the timeout, and keeps in its shuffle no more than the budgets of the first stage', async () => {
    const driver = await start({ msPerRow: 20 });
    pipe(driver);
    const { mostBehind, tookMs } = await untilCounted(driver);
    const { checkpoints } = driver.overview();
    expect(checkpoints.failed).toBe(0);
    expect(checkpoints.completed).toBeGreaterThan(4);
    // What the first stage could put out at once is 24 MB: it is held back, and the second stage is never idle for it.
    expect(mostBehind).toBeLessThan(2 * STAGE_TASKS * (FIRST_BUDGET + SLICE));
    expect(mostBehind).toBeGreaterThan(FIRST_BUDGET);
    expect(tookMs).toBeLessThan(1.3 * ((RECORDS / STAGE_TASKS) * 20));
    verify(driver);
  });

  it('reads on at once when the second stage is quick again', async () => {
    const pace = { msPerRow: 30 };
    const driver = await start(pace);
    pipe(driver);
    await driver.advance(8_000);
    expect(driver.readAll(COUNTS).length).toBeLessThan(RECORDS / 2);
    pace.msPerRow = 0;
    const { tookMs } = await untilCounted(driver);
    expect(tookMs).toBeLessThan(6_000);
    expect(driver.overview().checkpoints.failed).toBe(0);
    verify(driver);
  });

  it('goes on while no round is triggered: a spent budget is renewed where tasks commit without barriers', async () => {
    const driver = await start({ msPerRow: 0 }, { checkpointing: { interval: 100, timeout: 8_000, minPause: 3_600_000 } });
    pipe(driver);
    await untilCounted(driver);
    expect(driver.overview().checkpoints.completed).toBeLessThan(3);
    verify(driver);
  });

  it('keeps what it has done when a round is given up: an old epoch is committed without a barrier', async () => {
    const driver = await start({ msPerRow: 500 }, { checkpointing: { interval: 100, timeout: 60_000 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000, delay: 10 } });
    pipe(driver, 1_500);
    await untilCounted(driver, 1_500, 600_000, 2_000);
    expect(driver.overview().checkpoints.failed).toBeGreaterThan(0);
    verify(driver, 1_500);
  });
});
