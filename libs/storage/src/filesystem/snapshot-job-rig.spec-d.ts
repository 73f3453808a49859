import { expect } from '@jest/globals';
import { type Clock, decodeEpochRecord, EPOCH_RECORD_KEY, float64, incarnation, json, type JobDefinition, offset, RecordColumns, type SnapshotStore, STATE_CATALOGUE_KEY, type StateBackendFactory, taskIndex, topic, utf8, valueState } from '@weir/core';
import { CommittedState, InMemoryCluster, InMemorySnapshots, JobTestDriver, type JobTestOptions, LIFELIKE, ManualClock, ProcessKilled, SeededRandom } from '@weir/testing';
import { snapshotting } from './filesystem-backend.js';

/** A job with state in snapshots, its model, and the check that both agree. */
interface Reading {
  readonly id: string;
  readonly n: number;
  readonly t: number;
}
interface Alert extends Reading {
  readonly from: number;
}
const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
const ALERTS = topic('alerts', { key: utf8, value: json<Alert>() });
const LAST = valueState('state', float64);
const PARTITIONS = 4;
const SENSORS = 20;

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', READINGS)
      .keyBy(utf8, (reading) => reading.id, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMapWithState<number, Alert>('jump', float64, (reading, last) => ({
        state: reading.t,
        values: last !== undefined && Math.abs(reading.t - last) >= 10 ? [{ ...reading, from: last }] : [],
      }))
      .sink('alerts', ALERTS),
};

export interface SnapshotJobOptions {
  /** Puts something between the backend and the snapshots. */
  readonly store?: (snapshots: SnapshotStore, clock: Clock) => SnapshotStore;
  /** Puts something between the job and the backend. */
  readonly backend?: (backend: StateBackendFactory) => StateBackendFactory;
}

const same = <T>(given: T): T => given;

export class SnapshotJobRig {
  readonly random: SeededRandom;
  readonly #expected = new Map<string, Alert[]>();
  readonly #last = new Map<string, number>();
  #n = 0;

  private constructor(
    readonly driver: JobTestDriver,
    readonly options: JobTestOptions,
    seed: number,
  ) {
    this.random = new SeededRandom(seed).fork(78);
  }

  /** Everything is late, and in small pieces. */
  static async start(seed: number, { store = same, backend = same }: SnapshotJobOptions = {}): Promise<SnapshotJobRig> {
    const clock = new ManualClock({ seed });
    const options: JobTestOptions = {
      topics: { readings: PARTITIONS, alerts: PARTITIONS },
      outputs: ['alerts'],
      settings: { checkpointing: { interval: 100 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } },
      seed,
      clock,
      cluster: new InMemoryCluster({ clock, seed, ...LIFELIKE }),
      snapshots: new InMemorySnapshots({ seed, maxDelayMs: 20 }),
      state: (_, process) => backend(snapshotting(store(process.snapshots, process.clock), { clock: process.clock })),
    };
    return new SnapshotJobRig(await JobTestDriver.start(job, options), options, seed);
  }

  /** Another process of the same job, which believes to own its tasks. */
  startRival(): JobTestDriver {
    return JobTestDriver.startWithoutWaiting(job, this.options);
  }

  /** The same job, started with a backend that recovers from the changelog. */
  startOnDisk(): Promise<JobTestDriver> {
    return JobTestDriver.start(job, { ...this.options, state: same });
  }

  get place(): InMemorySnapshots {
    return this.driver.snapshots;
  }

  get expectedAlerts(): number {
    return [...this.#expected.values()].reduce((sum, alerts) => sum + alerts.length, 0);
  }

  pipe(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = `s${this.random.between(1, SENSORS)}`;
      const reading = { id, n: this.#n++, t: this.random.between(0, 30) };
      const last = this.#last.get(id);
      if (last !== undefined && Math.abs(reading.t - last) >= 10) this.#expected.set(id, [...(this.#expected.get(id) ?? []), { ...reading, from: last }]);
      this.#last.set(id, reading.t);
      this.driver.pipe(READINGS, id, reading);
    }
  }

  async crashAndRecover(): Promise<void> {
    await this.driver.crash();
    for (;;) {
      try {
        return await this.driver.recover();
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.driver.crash();
      }
    }
  }

  /** Commits all there is, however often a planned fault kills the process on the way. */
  async finish(): Promise<void> {
    for (;;) {
      try {
        return await this.driver.checkpoint();
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.crashAndRecover();
      }
    }
  }

  /** Output = model, per sensor and in order; what the epoch records name = model; the changelogs hold no state. */
  async verify(): Promise<void> {
    const seen = new Map<string, Alert[]>();
    for (const { key, value } of this.driver.readAll(ALERTS)) seen.set(key!, [...(seen.get(key!) ?? []), value!]);
    expect(Object.fromEntries([...seen].sort())).toEqual(Object.fromEntries([...this.#expected].sort()));
    const changelogs = [...this.driver.changelogs()];
    expect(changelogs.map(([, rows]) => [...rows.keys()].sort())).toEqual(changelogs.map(() => [EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY].map((key) => key.toString('latin1'))));
    const committed = new CommittedState(await Promise.all(changelogs.map(([, rows], task) => this.#stateIn(rows, task))), 'jump', utf8, 128);
    expect([...this.#last.keys()].map((id) => [id, committed.value(LAST, id)])).toEqual([...this.#last]);
  }

  /** Files that no epoch record names. */
  get unnamed(): string[] {
    const named = [...this.driver.changelogs()].flatMap(([task, rows]) => {
      const { snapshot } = decodeEpochRecord(rows.get(EPOCH_RECORD_KEY.toString('latin1'))!, task);
      return [...snapshot!.files, ...snapshot!.kept].map((name) => `test/0/${task}/${name}`);
    });
    return [...this.place.names(), ...this.place.unfinished].filter((name) => !named.includes(name));
  }

  async #stateIn(changelog: ReadonlyMap<string, Buffer>, task: number): Promise<ReadonlyMap<string, Buffer>> {
    const { snapshot } = decodeEpochRecord(changelog.get(EPOCH_RECORD_KEY.toString('latin1'))!, `task ${task}`);
    const backend = await snapshotting(this.place.connect(), { clock: this.driver.clock }).open(1);
    const store = await backend.open({ applicationId: 'test', incarnation: incarnation(0), subTopology: 0, task: taskIndex(task) });
    await store.apply(new RecordColumns(), { offset: offset(1), topicId: 't', leaderEpoch: 0, writtenAt: 0 });
    await store.snapshots!.load(snapshot!, () => true);
    const state = new Map([...store.scan(Buffer.alloc(0))].map(({ key, value }) => [key.toString('latin1'), value]));
    await backend.close();
    return state;
  }
}
