import { PARTITIONERS, stateIdOf } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import type { FedRecord } from '../generator/sensor-walk.js';
import { SiteWalk } from '../generator/site-walk.js';
import type { SeenRecord } from '../witness/seen-record.js';
import { Judge, type Verdict } from './judge.js';
import { type Limit } from './limit-log.js';
import { parseReading } from './reading-line.js';
import { SiteJudge } from './site-judge.js';
import { append, endsOf, type Logs, logs, PARTITIONS, storedFloat, storedKey, TASKS } from './sound-run.spec-d.js';

const LIMITS = stateIdOf('limit-check', 'limits');
const IN_A_ROW = stateIdOf('limit-check', 'in-a-row');
const COUNT = stateIdOf('alarms-per-site', 'state');
const EPOCH_RECORD = Buffer.from('ffff01', 'hex');

/** A task of the first stage: how far it has read the limits, and what it keeps. */
interface CheckTask {
  readonly at: number[];
  readonly limits: Map<string, string>;
  readonly inARow: Map<string, number>;
}

/**
 * What a correct site-alarms leaves behind, as plain arrays: a spec changes one thing, and asks the judge. Within an epoch each task reads
 * the limits that came with it at random among the readings, as it may.
 */
export class SoundSiteRun {
  readonly readings: Logs = logs(PARTITIONS);
  readonly limits: Logs = logs(2);
  readonly alarms: Logs = logs(PARTITIONS);
  readonly counts: Logs = logs(PARTITIONS);
  readonly checks: Logs = logs(TASKS);
  readonly sums: Logs = logs(TASKS);
  readonly #random: SeededRandom;
  readonly #tasks: CheckTask[] = Array.from({ length: TASKS }, () => ({ at: [0, 0], limits: new Map(), inARow: new Map() }));
  readonly #read: number[] = Array.from({ length: PARTITIONS }, () => 0);
  readonly #sums = new Map<string, number>();
  #barrier = 0;

  constructor(seed: number, records: number) {
    this.#random = new SeededRandom(seed).fork(9);
    const walk = new SiteWalk({ seed, sensors: 60 }, 'limits');
    for (const record of walk.before) this.#send(record);
    this.#epoch();
    for (let i = 1; i <= records; i++) {
      this.#send(walk.next());
      if (i % 100 === 0) this.#epoch();
    }
    this.#epoch();
  }

  judge(): Verdict {
    const judge = new Judge({
      layout: {
        stages: [
          { changelog: 'checks', inputs: ['readings'], broadcasts: ['limits'] },
          { changelog: 'sums', inputs: ['by-site'], broadcasts: [] },
        ],
        outputs: ['alarms', 'counts'],
      },
      model: (violations) => new SiteJudge({ input: 'readings', limits: 'limits', alarms: 'alarms' }, violations),
      tasks: [TASKS, TASKS],
      storeCopies: [],
    });
    for (const record of this.limits.flat()) judge.input('limits', record);
    for (const record of this.readings.flat()) judge.input('readings', record);
    for (const record of this.alarms.flat()) judge.output('alarms', record);
    for (const record of this.counts.flat()) judge.output('counts', record);
    for (const record of this.checks.flat()) judge.changelog(0, record);
    for (const record of this.sums.flat()) judge.changelog(1, record);
    const topics = { readings: this.readings, limits: this.limits, alarms: this.alarms, counts: this.counts, checks: this.checks, sums: this.sums };
    const ends = new Map(Object.entries(topics).map(([name, log]) => [name, endsOf(log)]));
    const offsets = new Map(this.readings.map((log, partition) => [partition, log.length]));
    return judge.verdict({ ends: ends.set('by-site', []), groupOffsets: new Map([['readings', offsets]]), openTransactions: [] });
  }

  #send({ topic, key, value }: FedRecord): void {
    put(topic === 'limits' ? this.limits : this.readings, key, value);
  }

  #epoch(): void {
    const alarms: SeenRecord[] = [];
    for (const [partition, log] of this.readings.entries()) {
      for (const record of log.slice(this.#read[partition])) alarms.push(...this.#check(partition % TASKS, record));
      this.#read[partition] = log.length;
    }
    this.#barrier++;
    for (const [index, task] of this.#tasks.entries()) {
      while (this.#readLimit(index));
      const positions = [
        ...this.#read.map((offset, partition) => ({ topic: 'readings', partition, offset })).filter(({ partition }) => partition % TASKS === index),
        ...task.at.map((offset, partition) => ({ topic: 'limits', partition, offset })),
      ];
      this.#commit(this.checks, index, positions);
    }
    for (const { value } of alarms) this.#count(JSON.parse(value!.toString('utf8')) as { id: string; site: string; timestamp: number });
    for (let task = 0; task < TASKS; task++) this.#commit(this.sums, task, []);
  }

  #commit(log: Logs, task: number, inputs: readonly object[]): void {
    append(log, task, -1, EPOCH_RECORD, Buffer.from(JSON.stringify({ barrier: this.#barrier, inputs })));
  }

  /** @returns whether there was one */
  #readLimit(index: number): boolean {
    const task = this.#tasks[index]!;
    const partition = task.at.findIndex((at, of) => at < this.limits[of]!.length);
    if (partition < 0) return false;
    const { key, value } = this.limits[partition]![task.at[partition]!++]!;
    const name = Buffer.alloc(6);
    name.writeUInt16BE(0x8000);
    name.writeUInt32BE(LIMITS, 2);
    append(this.checks, index, -1, Buffer.concat([name, key!]), value);
    if (value === null) task.limits.delete(String(key));
    else task.limits.set(String(key), String(value));
    return true;
  }

  #check(index: number, { value }: SeenRecord): SeenRecord[] {
    while (this.#random.chance(0.05) && this.#readLimit(index));
    const task = this.#tasks[index]!;
    const { id, temperature, timestamp } = parseReading(String(value));
    const { site, lower, upper } = JSON.parse(task.limits.get(id) ?? '{}') as Partial<Limit>;
    const key = storedKey(id, IN_A_ROW);
    if (site === undefined || (temperature >= lower! && temperature <= upper!)) {
      if (task.inARow.delete(id)) append(this.checks, index, -1, key, null);
      return [];
    }
    const inARow = (task.inARow.get(id) ?? 0) + 1;
    task.inARow.set(id, inARow);
    append(this.checks, index, -1, key, storedFloat(inARow));
    return [put(this.alarms, id, JSON.stringify({ id, site, temperature, lower, upper, inARow, timestamp }))];
  }

  #count({ id, site, timestamp }: { readonly id: string; readonly site: string; readonly timestamp: number }): void {
    const alarms = (this.#sums.get(site) ?? 0) + 1;
    this.#sums.set(site, alarms);
    const { partition } = put(this.counts, site, JSON.stringify({ site, alarms, lastSensor: id, lastTimestamp: timestamp }));
    append(this.sums, partition % TASKS, -1, storedKey(site, COUNT), storedFloat(alarms));
  }
}

/** Where the key belongs. @returns the record */
function put(log: Logs, key: string, value: string | null): SeenRecord {
  const bytes = Buffer.from(key);
  const partition = PARTITIONERS.murmur2(bytes, 0, bytes.length, log.length);
  append(log, partition, partition, bytes, value === null ? null : Buffer.from(value));
  return log[partition]!.at(-1)!;
}
