import {
  type Clock, clockOf, incarnation, type Log, type LogChunk, type LogReader, type LogWriter, NO_GENERATION, offset, RecordWriter,
  type StateBackend, type StateStore, taskIndex,
} from '@weir/core';
import { kafka } from '@weir/kafka';
import { THRESHOLD } from '../input/alert-digest.js';
import { places } from '../input/input-topic.js';
import { plainDecimal } from '../input/plain-decimal.js';
import { backendOf } from './backend-of.js';
import { profilerOf } from './cpu-profiler.js';
import { RunMeter, type RunResult } from './run-meter.js';
import type { RunSpec } from './run-spec.js';

/**
 * What the machine gives when nothing is in the way: the same job, by hand, on the same log and the same store. One format, one state,
 * no restore, no checks, no errors: a Map from sensor to its last temperature, and per task and interval one transaction with alerts,
 * changelog and offsets, whose changes go into the store once it is committed. Nobody should run this; Weir is compared with it.
 */
interface Sensor {
  readonly id: string;
  temperature: number;
  /** The epoch of its last change. */
  epoch: number;
}

/** What an epoch has to write out. */
class Effects {
  readonly alerts = new Map<number, RecordWriter>();
  readonly changes = new RecordWriter(1 << 20);
  readonly dirty: Sensor[] = [];
  records = 0;

  clear(): void {
    for (const each of this.alerts.values()) each.clear();
    this.changes.clear();
    this.dirty.length = 0;
    this.records = 0;
  }
}

const TURN_ROWS = 20_000;
const COMMA = 0x2c;

class BareTask {
  readonly #sensors = new Map<string, Sensor>();
  #effects = new Effects();
  #spare = new Effects();
  readonly #positions = new Map<number, number>();
  readonly #rows: Sensor[] = [];
  #epoch = 1;
  #isCommitting = false;
  /** Whether the next turn is planned already. */
  #isPlanned = false;

  constructor(
    private readonly spec: RunSpec,
    private readonly index: number,
    private readonly writer: LogWriter,
    private readonly store: StateStore,
    private readonly meter: RunMeter,
    private readonly clock: Clock,
    private readonly fail: (thrown: unknown) => void,
  ) {}

  /** Processes what there is, and goes on after the other tasks had their turn. */
  turn(reader: LogReader): void {
    try {
      for (let rows = 0; rows < TURN_ROWS; ) {
        const chunk = reader.take();
        if (chunk === undefined) return;
        if (chunk.records.count > 0) this.meter.onRecord();
        this.#process(chunk);
        rows += chunk.records.count;
      }
    } catch (thrown) {
      this.fail(thrown);
      return;
    }
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    this.clock.after(0, () => {
      this.#isPlanned = false;
      this.turn(reader);
    });
  }

  #process({ records, partition, nextOffset }: LogChunk): void {
    const { buffer, count, valueStart, valueEnd } = records;
    const sensors = this.#find(records);
    for (let row = 0; row < count; row++) {
      const sensor = sensors[row]!;
      const end = valueEnd[row]!;
      const timestampAt = valueStart[row]! + sensor.id.length + 1;
      const comma = buffer.indexOf(COMMA, timestampAt);
      const temperature = plainDecimal(buffer, comma + 1, end);
      const last = sensor.temperature;
      sensor.temperature = temperature;
      if (sensor.epoch !== this.#epoch) {
        sensor.epoch = this.#epoch;
        this.#effects.dirty.push(sensor);
      }
      // NaN before the first reading.
      if (Math.abs(temperature - last) >= THRESHOLD) this.#alert(sensor, last, buffer.latin1Slice(timestampAt, comma), partition, records.timestamp[row]!);
    }
    this.#positions.set(partition, nextOffset);
    this.#effects.records += count;
  }

  /** The sensors of the chunk's rows, those that are not on the heap in one read of the store. */
  #find({ buffer, count, keyStart, keyEnd }: LogChunk['records']): readonly Sensor[] {
    const missing: Sensor[] = [];
    for (let row = 0; row < count; row++) {
      const id = buffer.latin1Slice(keyStart[row]!, keyEnd[row]!);
      let sensor = this.#sensors.get(id);
      if (sensor === undefined) {
        sensor = { id, temperature: Number.NaN, epoch: 0 };
        this.#sensors.set(id, sensor);
        missing.push(sensor);
      }
      this.#rows[row] = sensor;
    }
    if (missing.length === 0) return this.#rows;
    missing.sort((a, b) => (a.id < b.id ? -1 : 1));
    const values = this.store.getMany(missing.map(({ id }) => Buffer.from(id, 'latin1')));
    missing.forEach((sensor, i) => {
      const value = values[i];
      if (value !== undefined) sensor.temperature = value.readDoubleBE(0);
    });
    return this.#rows;
  }

  /** Drops sensors that the store has as they are. A reading changes its sensor, so there is nothing to drop before a commit. */
  #shrink(): void {
    let surplus = this.#sensors.size - this.spec.cacheEntries;
    if (surplus <= 0) return;
    for (const sensor of this.#sensors.values()) {
      if (sensor.epoch === this.#epoch) continue;
      this.#sensors.delete(sensor.id);
      if (--surplus === 0) return;
    }
  }

  #alert({ id, temperature }: Sensor, last: number, timestamp: string, partition: number, time: number): void {
    let alerts = this.#effects.alerts.get(partition);
    if (alerts === undefined) this.#effects.alerts.set(partition, (alerts = new RecordWriter()));
    alerts.begin(time);
    alerts.bytes.writeUtf8(id);
    alerts.keyDone();
    alerts.bytes.writeUtf8(`{"id":"${id}","lastTemperature":${last},"temperature":${temperature},"timestamp":${timestamp}}`);
    alerts.valueDone();
    alerts.end();
  }

  async commit(): Promise<void> {
    const effects = this.#effects;
    if (this.#isCommitting || effects.records === 0) return;
    this.#isCommitting = true;
    const now = this.clock.wall();
    for (const { id, temperature } of effects.dirty) {
      effects.changes.begin(now);
      effects.changes.bytes.writeUtf8(id);
      effects.changes.keyDone();
      effects.changes.bytes.writeFloat64(temperature);
      effects.changes.valueDone();
      effects.changes.end();
    }
    const offsets = [...this.#positions].map(([partition, next]) => ({ topic: this.spec.input, partition, offset: offset(next) }));
    this.#effects = this.#spare;
    this.#spare = effects;
    this.#epoch++;
    const transaction = this.writer.begin();
    const alerts = [...effects.alerts].map(([partition, { columns }]) => ({ topic: this.spec.output, partition, records: columns }));
    const changelog = { topic: changelogOf(this.spec), partition: this.index, records: effects.changes.columns };
    const results = await transaction.append([...alerts.filter(({ records }) => records.count > 0), changelog]);
    await transaction.addOffsets({ groupId: this.spec.applicationId, generation: NO_GENERATION, memberId: '' }, offsets);
    await transaction.commit();
    const { nextOffset, leaderEpoch } = results.at(-1)!;
    await this.store.apply(effects.changes.columns, { offset: nextOffset, topicId: 'bare', leaderEpoch, writtenAt: now });
    this.#isCommitting = false;
    this.meter.onCommit(effects.records);
    effects.clear();
    this.#shrink();
  }
}

const changelogOf = ({ applicationId }: RunSpec): string => `${applicationId}-changelog`;

export async function runBare(spec: RunSpec): Promise<RunResult> {
  const clock = clockOf(globalThis);
  const meter = new RunMeter(spec.records, clock, profilerOf(spec));
  const log = await kafka({ brokers: spec.brokers }).open({ clock, clientId: spec.applicationId });
  const backend = await backendOf(spec).open(spec.parallelism);
  await log.ensureTopics([{ topic: changelogOf(spec), partitions: spec.parallelism, config: { 'cleanup.policy': 'compact' } }]);
  const result = await new Promise<RunResult>((resolve, reject) => {
    meter.done.then(resolve, reject);
    for (let index = 0; index < spec.parallelism; index++) startTask(spec, index, log, backend, meter, reject).catch(reject);
  });
  await backend.close();
  await log.close();
  return result;
}

async function startTask(spec: RunSpec, index: number, log: Log, backend: StateBackend, meter: RunMeter, fail: (thrown: unknown) => void): Promise<void> {
  const clock = clockOf(globalThis);
  const writer = await log.openWriter({ transactionalId: `${spec.applicationId}-${index}`, transactionTimeoutMs: 60_000 });
  const store = await backend.open({ applicationId: spec.applicationId, incarnation: incarnation(0), subTopology: 0, task: taskIndex(index) });
  const task = new BareTask(spec, index, writer, store, meter, clock, fail);
  const reader: LogReader = log.openReader({ bufferBytes: 4 * 1024 * 1024, wake: () => task.turn(reader) });
  for (const place of places(spec.input, spec.partitions)) if (place.partition % spec.parallelism === index) reader.assign(place, offset(0));
  let cancel = (): void => undefined;
  const tick = (): void => {
    cancel = clock.after(spec.intervalMs, tick);
    task.commit().catch(fail);
  };
  tick();
  await meter.done;
  cancel();
}
