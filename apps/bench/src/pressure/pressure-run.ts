import { type Clock, clockOf, createJob, float64, type JobDefinition, type Log, topic, utf8 } from '@weir/core';
import { kafka } from '@weir/kafka';
import { backendOf } from '../run/backend-of.js';
import type { RunSpec } from '../run/run-spec.js';

/** A job whose counting takes its time, alone or behind a shuffle whose first stage is as quick as it can. */
export interface PressureSpec extends RunSpec {
  /** Whether records come through a first stage and a shuffle; otherwise the slow function reads the input itself. */
  readonly isShuffled: boolean;
  /** Microseconds of work for each record. */
  readonly workMicros: number;
}

export interface PressureResult {
  /** From the first record that the slow stage took to the commit of the last. */
  readonly elapsedMs: number;
  readonly peakRssBytes: number;
  readonly rounds: number;
  readonly failedRounds: number;
  readonly longestRoundMs: number;
  /** Most records that lay in the repartition topic, not purged yet by the slow stage; 0 where it reads the input. */
  readonly mostBehind: number;
}

const SHUFFLE = 'by-sensor';
const LOOK_MS = 200;
const STOP_MS = 60_000;
const MICROSECONDS = 1_000;

function definitionOf({ input, output, isShuffled }: PressureSpec, work: () => void): JobDefinition {
  const sensorOf = (line: string): string => line.slice(0, line.indexOf(','));
  return {
    define: (streams) => {
      const readings = streams.source('readings', topic(input, { key: utf8, value: utf8 }));
      const keyed = isShuffled ? readings.keyBy(utf8, sensorOf, { name: SHUFFLE, value: utf8 }) : readings.keyBy(utf8, sensorOf, { alreadyPartitioned: { partitioner: 'auto' } });
      keyed
        .mapWithState<number, number>('slow-count', float64, (_line, count = 0) => {
          work();
          return { state: count + 1, value: count + 1 };
        })
        .sink('counts', topic(output, { key: utf8, value: float64 }));
    },
  };
}

/** Keeps the processor busy, as a slow function does, and knows when that began. */
class Work {
  began: number | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly micros: number,
  ) {}

  readonly run = (): void => {
    const now = this.clock.monotonic();
    this.began ??= now;
    const end = now + this.micros / MICROSECONDS;
    while (this.clock.monotonic() < end);
  };
}

/** What the topic holds now; 0 while it does not exist. */
async function recordsIn(log: Log, shuffle: string, partitions: number): Promise<number> {
  if ((await log.describeTopic(shuffle)) === undefined) return 0;
  const ends = await log.endPositions(Array.from({ length: partitions }, (_, partition) => ({ topic: shuffle, partition })));
  return ends.reduce((sum, { start, highWatermark }) => sum + highWatermark - start, 0);
}

/** Runs until every record is counted and committed, and looks at lag and rounds meanwhile. */
export async function runPressure(spec: PressureSpec): Promise<PressureResult> {
  const clock = clockOf(globalThis);
  const slowStage = spec.isShuffled ? 1 : 0;
  let counted = 0;
  const work = new Work(clock, spec.workMicros);
  let mostBehind = 0;
  let longestRoundMs = 0;
  const { applicationId, parallelism, intervalMs, cacheEntries } = spec;
  const settings = { applicationId, group: 'none', parallelism, checkpointing: { interval: intervalMs }, state: { cacheEntries } } as const;
  const job = createJob('pressure', definitionOf(spec, work.run), settings, {
    log: kafka({ brokers: spec.brokers }),
    state: backendOf(spec),
    clock,
    telemetry: {
      emit: (event) => {
        if (event.type === 'task-failed') console.error(`task ${event.task} failed:`, event.error);
        else if (event.type === 'task-commit' && event.subTopology === slowStage) counted += event.recordsOut;
      },
    },
  });
  const log = await kafka({ brokers: spec.brokers }).open({ clock, clientId: 'weir-bench-looks' });
  const shuffle = `${applicationId}-0-${SHUFFLE}-repartition`;
  job.start();
  let ended = false;
  void job.ended.then(() => (ended = true));
  while (counted < spec.records && !ended) {
    await new Promise<void>((resolve) => void clock.after(LOOK_MS, resolve));
    if (spec.isShuffled) mostBehind = Math.max(mostBehind, await recordsIn(log, shuffle, spec.partitions));
    for (const { durationMs = 0 } of job.overview().checkpoints.history) longestRoundMs = Math.max(longestRoundMs, durationMs);
  }
  const elapsedMs = clock.monotonic() - (work.began ?? clock.monotonic());
  const { completed, failed } = job.overview().checkpoints;
  if (ended) throw new Error(`The job ended before it had counted its input: ${job.overview().reason ?? 'no reason'}`);
  await job.stop(STOP_MS);
  await log.close();
  return { elapsedMs, peakRssBytes: process.resourceUsage().maxRSS * 1_024, rounds: completed, failedRounds: failed, longestRoundMs, mostBehind };
}
