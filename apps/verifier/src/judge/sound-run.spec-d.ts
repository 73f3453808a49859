import { ByteWriter, keyGroupOf, PARTITIONERS, stateIdOf, writeStoredKey } from '@weir/core';
import type { SeenEnds, SeenRecord } from '../witness/seen-record.js';
import { AlertJudge } from './alert-judge.js';
import { Judge, type Verdict } from './judge.js';
import { type StoreCopy, storeDigest } from './store-digest.js';

/** Two tasks over four input partitions. */
export const PARTITIONS = 4;
export const TASKS = 2;
const EPOCH_EVERY = 10;
const STATE = stateIdOf('temperature-change', 'last-temperature');

export type Logs = SeenRecord[][];

/** What a correct service leaves behind, as plain arrays: a spec changes one thing, and asks the judge. */
export class SoundRun {
  readonly input: Logs = logs(PARTITIONS);
  readonly output: Logs = logs(PARTITIONS);
  readonly changelog: Logs = logs(TASKS);
  readonly stores: StoreCopy[] = [];
  /** What differs from what the logs themselves say. */
  facts: {
    readonly output?: readonly SeenEnds[];
    readonly groupOffsets?: ReadonlyMap<number, number>;
    readonly openTransactions?: readonly string[];
  } = {};
  readonly #last = new Map<string, number>();
  readonly #dirty: Set<string>[] = Array.from({ length: TASKS }, () => new Set());
  readonly #contents: Map<string, Buffer>[] = Array.from({ length: TASKS }, () => new Map<string, Buffer>());

  /** @param readings `sensor,timestamp,temperature` */
  constructor(readings: readonly string[]) {
    for (const [i, line] of readings.entries()) {
      this.#read(line);
      if (i % EPOCH_EVERY === EPOCH_EVERY - 1) this.#commit();
    }
    this.#commit();
  }

  judge(): Verdict {
    const judge = new Judge({
      layout: { stages: [{ changelog: 'changelog', inputs: ['readings'], broadcasts: [] }], outputs: ['alerts'] },
      model: (violations) => new AlertJudge(violations),
      tasks: [TASKS],
      storeCopies: this.stores,
    });
    for (const record of this.input.flat()) judge.input('readings', record);
    for (const record of this.output.flat()) judge.output('alerts', record);
    for (const record of this.changelog.flat()) judge.changelog(0, record);
    const { output = endsOf(this.output), openTransactions = [] } = this.facts;
    const groupOffsets = this.facts.groupOffsets ?? new Map(this.input.map((log, partition) => [partition, log.length]));
    return judge.verdict({
      ends: new Map([
        ['readings', endsOf(this.input)],
        ['alerts', output],
        ['changelog', endsOf(this.changelog)],
      ]),
      groupOffsets: new Map([['readings', groupOffsets]]),
      openTransactions,
    });
  }

  #read(line: string): void {
    const [id, timestamp, degrees] = line.split(',') as [string, string, string];
    const key = Buffer.from(id);
    const partition = PARTITIONERS.murmur2(key, 0, key.length, PARTITIONS);
    append(this.input, partition, partition, key, Buffer.from(line));
    const temperature = Number(degrees);
    const lastTemperature = this.#last.get(id);
    this.#last.set(id, temperature);
    this.#dirty[partition % TASKS]!.add(id);
    if (lastTemperature === undefined || Math.abs(temperature - lastTemperature) < 10) return;
    const alert = { id, lastTemperature, temperature, timestamp: Number(timestamp) };
    append(this.output, partition, partition, key, Buffer.from(JSON.stringify(alert)));
  }

  #commit(): void {
    for (let task = 0; task < TASKS; task++) {
      for (const id of this.#dirty[task]!) {
        this.#change(task, storedKey(id), storedFloat(this.#last.get(id)!));
      }
      this.#dirty[task]!.clear();
      const inputs = this.input.map((log, partition) => ({ topic: 'readings', topicId: 'x', partition, offset: log.length, barriers: [] }));
      const own = inputs.filter(({ partition }) => partition % TASKS === task);
      this.#change(
        task,
        Buffer.from('ffff01', 'hex'),
        Buffer.from(JSON.stringify({ version: 1, incarnation: 0, barrier: 1, inputs: own })),
      );
      const offset = this.changelog[task]!.length;
      const contents = this.#contents[task]!;
      this.stores.push({ name: 'kill 1', stage: 0, task, offset, digest: storeDigest(contents), entries: contents.size });
    }
  }

  #change(task: number, key: Buffer, value: Buffer): void {
    append(this.changelog, task, -1, key, value);
    this.#contents[task]!.set(key.toString('hex'), value);
  }
}

/** Readings of 29 sensors, each of which leaps at every other one of its readings. */
export function leapingReadings(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `sensor_${i % 29},${1000 + i},${20 + (i % 3) + (Math.floor(i / 29) % 4 < 2 ? 0 : 15)}.5`);
}

export function storedKey(id: string, stateId = STATE): Buffer {
  const out = new ByteWriter();
  const key = Buffer.from(id);
  writeStoredKey(out, keyGroupOf(key, 0, key.length, 128), stateId, key);
  return out.copy();
}

/** As a state without a time to live is stored. */
export function storedFloat(value: number): Buffer {
  const bytes = Buffer.alloc(9);
  bytes.writeDoubleBE(value, 1);
  return bytes;
}

export const logs = (count: number): Logs => Array.from({ length: count }, () => []);

export function append(to: Logs, partition: number, home: number, key: Buffer, value: Buffer | null): void {
  to[partition]!.push({ partition, offset: to[partition]!.length, home, key, value });
}

export const endsOf = (from: Logs): SeenEnds[] =>
  from.map((log, partition) => ({ partition, start: 0, lastStable: log.length, highWatermark: log.length }));
