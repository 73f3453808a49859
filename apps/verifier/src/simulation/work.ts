import { float64, type JobDefinition, json, topic, utf8, valueState } from '@weir/core';
import type { CommittedState, JobTestDriver, SeededRandom } from '@weir/testing';
import { broadcastJoin, COUNTING, COUNTS, READINGS, RULES, siteOf, SITES, threeStages, twoStages, type Reading, type SiteCount } from './counting-jobs.js';

/**
 * What the replicas of a simulation work on, and what must come of it: a job, its input, and its model. What is found wrong is said in
 * words, one finding each; an empty list is what there should be.
 */
export const SIMULATED_JOBS = ['alerts', 'two-stages', 'three-stages', 'broadcast-join'] as const;
export type SimulatedJob = (typeof SIMULATED_JOBS)[number];

export interface Work {
  readonly definition: JobDefinition;
  /** With their partitions. */
  readonly topics: Readonly<Record<string, number>>;
  readonly outputs: readonly string[];
  readonly stages: number;
  /** Whether the last stage counts what the first has read, so that a cut through all stages can be checked. */
  readonly counts: boolean;
  pipe(driver: JobTestDriver, records: number): void;
  isDone(driver: JobTestDriver): boolean;
  wrongOutput(driver: JobTestDriver): string[];
  /** What the changelogs hold against the model. Of backends that recover from the changelog. */
  wrongState(driver: JobTestDriver): string[];
}

export function workOf(job: SimulatedJob, partitions: number, random: SeededRandom): Work {
  switch (job) {
    case 'alerts':
      return new Alerts(partitions, random);
    case 'two-stages':
      return new Counts(twoStages, 2, partitions, false, random);
    case 'three-stages':
      return new Counts(threeStages, 3, partitions, false, random);
    case 'broadcast-join':
      return new Counts(broadcastJoin, 2, partitions, true, random);
  }
}

const SENSORS = 12;

// ---- the main job ----

interface Alert extends Reading {
  readonly from: number;
}
const ALERTS = topic('alerts', { key: utf8, value: json<Alert>() });
const JUMP = 'jump';

/** As the main job does; but a reading of 0 makes it forget the sensor, so that there are deletions to restore, too. */
const alerting: JobDefinition = {
  define: (streams) =>
    streams
      .source('readings', READINGS)
      .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMapWithState<number, Alert>(JUMP, float64, (reading, last) => ({
        state: reading.t === 0 ? undefined : reading.t,
        values: last !== undefined && Math.abs(reading.t - last) >= 10 ? [{ ...reading, from: last }] : [],
      }))
      .sink('alerts', ALERTS),
};

class Alerts implements Work {
  readonly definition = alerting;
  readonly topics: Readonly<Record<string, number>>;
  readonly outputs = ['alerts'];
  readonly stages = 1;
  readonly counts = false;
  readonly #expected: Alert[] = [];
  readonly #last = new Map<string, number>();
  #n = 0;

  constructor(
    partitions: number,
    private readonly random: SeededRandom,
  ) {
    this.topics = { readings: partitions, alerts: partitions };
  }

  pipe(driver: JobTestDriver, records: number): void {
    for (let i = 0; i < records; i++) {
      const reading = { id: `s${this.random.between(1, SENSORS)}`, n: this.#n++, t: this.random.between(0, 30) };
      const last = this.#last.get(reading.id);
      if (last !== undefined && Math.abs(reading.t - last) >= 10) this.#expected.push({ ...reading, from: last });
      if (reading.t === 0) this.#last.delete(reading.id);
      else this.#last.set(reading.id, reading.t);
      driver.pipe(READINGS, reading.id, reading);
    }
  }

  isDone(driver: JobTestDriver): boolean {
    return driver.readAll(ALERTS).length >= this.#expected.length;
  }

  wrongOutput(driver: JobTestDriver): string[] {
    const seen = grouped(driver.readAll(ALERTS).map(({ value }) => value!));
    const expected = grouped(this.#expected);
    return [...new Set([...seen.keys(), ...expected.keys()])].flatMap((id) => {
      const [was, is] = [expected.get(id) ?? [], seen.get(id) ?? []].map((alerts) => JSON.stringify(alerts));
      return was === is ? [] : [`alerts of ${id}: expected ${was}, found ${is}`];
    });
  }

  wrongState(driver: JobTestDriver): string[] {
    const stateOf = driver.stateReader(JUMP, valueState('state', float64), utf8);
    return sensors().flatMap((id) => {
      const [was, is] = [this.#last.get(id), stateOf(id)];
      return was === is ? [] : [`state of ${id}: expected ${was ?? 'none'}, found ${is ?? 'none'}`];
    });
  }
}

// ---- jobs that count readings behind a shuffle ----

class Counts implements Work {
  readonly topics: Readonly<Record<string, number>>;
  readonly outputs = ['counts'];
  readonly counts = true;
  readonly #bySite = new Map<string, number>();
  #n = 0;
  #version = 0;

  constructor(
    readonly definition: JobDefinition,
    readonly stages: number,
    partitions: number,
    private readonly hasRules: boolean,
    private readonly random: SeededRandom,
  ) {
    this.topics = { readings: partitions, counts: 3, ...(hasRules ? { rules: 1 } : {}) };
  }

  pipe(driver: JobTestDriver, records: number): void {
    for (let i = 0; i < records; i++) {
      const id = `s${this.random.between(1, SENSORS)}`;
      driver.pipe(READINGS, id, { id, n: this.#n++, t: 0 });
      this.#bySite.set(siteOf(id), (this.#bySite.get(siteOf(id)) ?? 0) + 1);
      if (this.hasRules && this.random.chance(0.1)) driver.pipe(RULES, 'version', ++this.#version);
    }
  }

  isDone(driver: JobTestDriver): boolean {
    return driver.readAll(COUNTS).length >= this.#n;
  }

  wrongOutput(driver: JobTestDriver): string[] {
    const counts = driver.readAll(COUNTS).map(({ value }) => value!);
    return [...this.#wrongIds(counts), ...wrongCounts(counts), ...wrongOrder(counts)];
  }

  #wrongIds(counts: readonly SiteCount[]): string[] {
    const times = new Map<number, number>();
    for (const { n } of counts) times.set(n, (times.get(n) ?? 0) + 1);
    const wrong: string[] = [];
    for (let n = 0; n < this.#n; n++) if (times.get(n) !== 1) wrong.push(`reading ${n} is counted ${times.get(n) ?? 0} times`);
    return wrong;
  }

  wrongState(driver: JobTestDriver): string[] {
    const state = driver.committedState(COUNTING, utf8);
    return sites().flatMap((site) => {
      const [was, is] = [this.#bySite.get(site), countOf(state, site)];
      return was === is ? [] : [`state of ${site}: expected ${was ?? 'none'}, found ${is ?? 'none'}`];
    });
  }
}

export const countOf = (state: CommittedState<string>, site: string): number | undefined => state.value(valueState('state', float64), site);
export const sites = (): string[] => Array.from({ length: SITES }, (_, i) => `site-${i}`);
const sensors = (): string[] => Array.from({ length: SENSORS }, (_, i) => `s${i + 1}`);

/** Each site's counts are without gap or repetition, in their order. */
function wrongCounts(counts: readonly SiteCount[]): string[] {
  const wrong: string[] = [];
  const last = new Map<string, number>();
  for (const { site, count, n } of counts) {
    const before = last.get(site) ?? 0;
    if (count !== before + 1) wrong.push(`${site} has count ${count} behind ${before}, at reading ${n}`);
    last.set(site, count);
  }
  return wrong;
}

/** Each sensor's readings stay in their order, and no rule is older than that of a reading before. */
function wrongOrder(counts: readonly SiteCount[]): string[] {
  const wrong: string[] = [];
  const last = new Map<string, SiteCount>();
  for (const each of counts) {
    const before = last.get(each.id);
    if (before !== undefined && each.n <= before.n) wrong.push(`reading ${each.n} of ${each.id} is counted behind ${before.n}`);
    if (before !== undefined && each.version < before.version) wrong.push(`reading ${each.n} of ${each.id} has rules ${each.version}, older than ${before.version}`);
    last.set(each.id, each);
  }
  return wrong;
}

function grouped(alerts: readonly Alert[]): Map<string, Pick<Alert, 'n' | 't' | 'from'>[]> {
  const bySensor = new Map<string, Pick<Alert, 'n' | 't' | 'from'>[]>();
  for (const { id, n, t, from } of alerts) {
    const own = bySensor.get(id) ?? [];
    own.push({ n, t, from });
    bySensor.set(id, own);
  }
  return bySensor;
}
