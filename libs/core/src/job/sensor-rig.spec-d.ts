import { expect } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, type JobTestOptions, LIFELIKE, ManualClock, ProcessKilled, SeededRandom } from '@weir/testing';
import { controlTopic, float64, json, topic, utf8, valueState, type JobDefinition } from '@weir/core';

/** The main job in small, its model, and the check that both agree: what the simulation specs of this folder share. */
export interface Reading {
  readonly id: string;
  readonly n: number;
  readonly t: number;
}
export interface Alert extends Reading {
  readonly from: number;
}

export const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
export const ALERTS = topic('alerts', { key: utf8, value: json<Alert>() });
export const LAST = valueState('state', float64);
export const PARTITIONS = 4;

export const sensorJob: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', READINGS)
      .keyBy(utf8, (reading) => reading.id, { alreadyPartitioned: { partitioner: 'auto' } })
      .flatMapWithState<number, Alert>('jump', float64, (reading, last) => ({
        state: reading.t,
        values: last !== undefined && Math.abs(reading.t - last) >= 10 ? [{ ...reading, from: last }] : [],
      }))
      .sink('alerts', ALERTS),
};

/** Pipes readings with unique numbers, and knows what must come of them. */
export class SensorRig {
  readonly #random: SeededRandom;
  readonly #expected = new Map<string, Alert[]>();
  readonly #last = new Map<string, number>();
  #n = 0;
  /** How many readings there were each time that all were committed. */
  readonly #committed: number[] = [];

  private constructor(
    readonly driver: JobTestDriver,
    readonly seed: number,
    private readonly sensors: number,
  ) {
    this.#random = new SeededRandom(seed).fork(77);
  }

  /** @param setUp called with the cluster before the job starts */
  static async start(options: Partial<JobTestOptions> & { readonly seed?: number; readonly sensors?: number } = {}, setUp?: (cluster: InMemoryCluster) => void): Promise<SensorRig> {
    const seed = options.seed ?? 1;
    const clock = options.clock ?? new ManualClock({ seed });
    const cluster = options.cluster ?? new InMemoryCluster({ clock, seed, ...options.network });
    setUp?.(cluster);
    const settings = { checkpointing: { interval: 100 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const, ...options.settings };
    const { sensors = 20, ...rest } = options;
    const driver = await JobTestDriver.start(sensorJob, { topics: { readings: PARTITIONS, alerts: PARTITIONS }, outputs: ['alerts'], ...rest, seed, clock, cluster, settings });
    return new SensorRig(driver, seed, sensors);
  }

  /** As a busy cluster is: everything late and in small pieces. */
  static lifelike(seed: number, options: Partial<JobTestOptions> = {}): Promise<SensorRig> {
    return SensorRig.start({ network: LIFELIKE, seed, ...options });
  }

  get random(): SeededRandom {
    return this.#random;
  }

  pipe(count: number): void {
    for (let i = 0; i < count; i++) {
      const id = `s${this.#random.between(1, this.sensors)}`;
      const reading = { id, n: this.#n++, t: this.#random.between(0, 30) };
      const last = this.#last.get(id);
      if (last !== undefined && Math.abs(reading.t - last) >= 10) this.#alertsOf(id).push({ ...reading, from: last });
      this.#last.set(id, reading.t);
      this.driver.pipe(READINGS, id, reading);
    }
  }

  #alertsOf(id: string): Alert[] {
    let alerts = this.#expected.get(id);
    if (alerts === undefined) this.#expected.set(id, (alerts = []));
    return alerts;
  }

  /** Kills and starts again until the job runs, however often a planned fault kills it on the way. */
  async crashAndRecover(): Promise<void> {
    await this.driver.crash();
    for (;;) {
      try {
        await this.driver.recover();
        return;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.driver.crash();
      }
    }
  }

  /** Commits all there is, crashing and recovering where a planned fault kills the process. @returns how often it did */
  async finish(): Promise<number> {
    for (let crashes = 0; ; crashes++) {
      try {
        await this.driver.checkpoint();
        this.#committed.push(this.#n);
        return crashes;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.crashAndRecover();
      }
    }
  }

  /** Output = model, per sensor and in order; state = model; disk = changelog; nothing left open. */
  verify(): void {
    expect(Object.fromEntries([...this.#seen()].sort())).toEqual(Object.fromEntries([...this.#expected].sort()));
    this.#verifyState();
  }

  /**
   * The same for AT_LEAST_ONCE: state as exact as ever; of outputs none missing, and none repeated that was committed before others were
   * read: an alert is never seen behind one of a later `finish`. @returns how many were repeated
   */
  verifyAtLeastOnce(): number {
    let repeated = 0;
    for (const [id, expected] of this.#expected) {
      const seen = this.#seen().get(id) ?? [];
      const once = [...new Map(seen.map((alert) => [alert.n, alert])).values()].sort((a, b) => a.n - b.n);
      expect([id, once]).toEqual([id, expected]);
      const rounds = seen.map(({ n }) => this.#committed.filter((end) => end <= n).length);
      expect([id, rounds]).toEqual([id, [...rounds].sort((a, b) => a - b)]);
      repeated += seen.length - once.length;
    }
    this.#verifyState();
    return repeated;
  }

  #seen(): Map<string, Alert[]> {
    const seen = new Map<string, Alert[]>();
    for (const { key, value } of this.driver.readAll(ALERTS)) {
      const alerts = seen.get(key!) ?? [];
      alerts.push(value!);
      seen.set(key!, alerts);
    }
    return seen;
  }

  #verifyState(): void {
    const { driver } = this;
    const stateOf = driver.stateReader('jump', LAST, utf8);
    expect([...this.#last.keys()].map((id) => [id, stateOf(id)])).toEqual([...this.#last]);
    this.#verifyDisk();
    // The control topic is written all the time: a transaction of the coordinator may be open at any moment.
    const control = controlTopic('test');
    expect(driver.cluster.openTransactions().filter(({ partitions }) => partitions.some(({ topic: name }) => name !== control))).toEqual([]);
    for (const name of driver.cluster.topicNames().filter((one) => one !== control)) {
      for (let partition = 0; partition < driver.cluster.describeTopic(name)!.partitions; partition++) {
        const { lastStable, highWatermark } = driver.cluster.endPosition(name, partition);
        expect([name, partition, lastStable]).toEqual([name, partition, highWatermark]);
      }
    }
  }

  #verifyDisk(): void {
    const { disk } = this.driver;
    const changelogs = this.driver.changelogs();
    for (const name of disk.positions().keys()) expect([name, sortedHex(disk.entries(name))]).toEqual([name, sortedHex(changelogs.get(name)!)]);
  }

  get expectedAlerts(): number {
    return [...this.#expected.values()].reduce((sum, alerts) => sum + alerts.length, 0);
  }
}

const sortedHex = (entries: ReadonlyMap<string, Buffer>): string[] => [...entries].map(([key, value]) => `${Buffer.from(key, 'latin1').toString('hex')}=${value.toString('hex')}`).sort();
