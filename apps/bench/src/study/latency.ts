import { writeFile } from 'node:fs/promises';
import { CHECKPOINTING_MODES, type CheckpointingMode, clockOf, createJob, float64, type JobDefinition, type LogReader, offset, RecordWriter, sleep, topic, utf8 } from '@weir/core';
import { kafka } from '@weir/kafka';
import { memory } from '@weir/storage';
import type { BenchOptions } from '../options.js';
import { median } from '../report/figures.js';
import { table, whole } from '../report/table.js';
import { Session } from '../run/session.js';

/** Records of a run, one after the other. */
const SAMPLES = 20;
const STOP_MS = 30_000;
/** Milliseconds that a record may take. */
const LIMIT_MS = 60_000;
const SHAPES = ['one stage', 'behind a shuffle'] as const;
type Shape = (typeof SHAPES)[number];

interface LatencyFigures {
  readonly shape: Shape;
  /** Milliseconds from when a record is acknowledged to when what came of it can be read, by mode, of all runs. */
  readonly latencyMs: Readonly<Record<CheckpointingMode, number[]>>;
}

/** What AT_LEAST_ONCE gains: how long a record's output takes to be readable, in both modes, in turn on the same broker. */
export async function latencyStudy(options: BenchOptions, brokers: readonly string[]): Promise<boolean> {
  const session = await Session.open(brokers, options.batchBytes);
  try {
    session.say(`${SAMPLES} records, one after the other, at all moments of an interval; ${options.runs === 1 ? 'one run' : `${options.runs} runs, modes in turn`}; a checkpoint every ${options.intervalMs} ms`);
    const figures = SHAPES.map((shape): LatencyFigures => ({ shape, latencyMs: { EXACTLY_ONCE: [], AT_LEAST_ONCE: [] } }));
    for (let run = 0; run < options.runs; run++) {
      for (const { shape, latencyMs } of figures) for (const mode of CHECKPOINTING_MODES) latencyMs[mode].push(...(await latencies(session, shape, mode, options)));
    }
    const head = ['', 'EXACTLY_ONCE, median ms', 'most', 'AT_LEAST_ONCE, median ms', 'most', 'times sooner'];
    console.log(['', ...table(head, figures.map(rowOf))].join('\n'));
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ options, figures }, undefined, 2)}\n`);
    return true;
  } finally {
    await session.close();
  }
}

function rowOf({ shape, latencyMs: { EXACTLY_ONCE: exactly, AT_LEAST_ONCE: atLeast } }: LatencyFigures): string[] {
  const ratio = median(exactly) / median(atLeast);
  return [shape, whole(median(exactly)), whole(Math.max(...exactly)), whole(median(atLeast)), whole(Math.max(...atLeast)), ratio.toFixed(1)];
}

async function latencies(session: Session, shape: Shape, mode: CheckpointingMode, { intervalMs, partitions, parallelism }: BenchOptions): Promise<number[]> {
  const { clock, log, brokers } = session;
  const id = `weir-bench-latency-${clock.newId().slice(0, 8)}`;
  const input = topic(`${id}-in`, { key: utf8, value: utf8 });
  const output = topic(`${id}-out`, { key: utf8, value: utf8 });
  await log.ensureTopics([input, output].map(({ topic: name }) => ({ topic: name, partitions, config: {} })));
  const definition: JobDefinition = {
    define: (streams) =>
      streams
        .source('in', input)
        .keyBy(utf8, (value) => value, shape === 'one stage' ? { alreadyPartitioned: { partitioner: () => 0 } } : { name: 'again' })
        .mapWithState<number, string>('count', float64, (value, count = 0) => ({ state: count + 1, value }))
        .sink('out', output),
  };
  const settings = { applicationId: id, group: 'none', parallelism, checkpointing: { interval: intervalMs, mode } } as const;
  const job = createJob('latency', definition, settings, { log: kafka({ brokers }), state: memory(), clock: clockOf(globalThis), telemetry: { emit: () => undefined } });
  job.start();
  const appender = await log.openAppender();
  const outputs = new Outputs(session, output.topic, partitions);
  try {
    while (!job.isReady()) await sleep(clock, 50);
    const taken: number[] = [];
    for (let n = -1; n < SAMPLES; n++) {
      await sleep(clock, (intervalMs * (n + 1)) / SAMPLES);
      const rows = new RecordWriter();
      rows.add(clock.wall(), Buffer.from('k'), Buffer.from(`v${n}`));
      await appender.append([{ topic: input.topic, partition: 0, records: rows.columns }]);
      const began = clock.monotonic();
      await outputs.next();
      if (n >= 0) taken.push(clock.monotonic() - began); // the first only warms
    }
    return taken;
  } finally {
    await outputs.close();
    await appender.close();
    await job.stop(STOP_MS);
  }
}

/** Committed records of a topic, whatever partition they come to. */
class Outputs {
  readonly #reader: LogReader;
  #wake: () => void = () => undefined;
  #rows = 0;

  constructor(
    private readonly session: Session,
    name: string,
    partitions: number,
  ) {
    this.#reader = session.log.openReader({ wake: () => this.#wake(), bufferBytes: 1 << 20 });
    for (let partition = 0; partition < partitions; partition++) this.#reader.assign({ topic: name, partition }, offset(0));
  }

  /** @throws Error if none comes */
  async next(): Promise<void> {
    const giveUpAt = this.session.clock.monotonic() + LIMIT_MS;
    while (this.#rows === 0) {
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      const chunk = this.#reader.take();
      if (chunk !== undefined) this.#rows += chunk.records.count;
      else await Promise.race([woken, sleep(this.session.clock, 1_000)]);
      if (this.session.clock.monotonic() > giveUpAt) throw new Error(`A record gave no output within ${LIMIT_MS} ms.`);
    }
    this.#rows--;
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}
