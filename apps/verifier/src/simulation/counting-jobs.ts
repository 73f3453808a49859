import {
  broadcastState,
  type BroadcastState,
  type Collector,
  float64,
  type JobDefinition,
  json,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type Stream,
  topic,
  utf8,
} from '@weir/core';

/** The jobs of the simulation that have a shuffle: each counts every reading of a site once, on its last stage. */
export interface Reading {
  readonly id: string;
  readonly n: number;
  readonly t: number;
}
export interface SiteCount {
  readonly site: string;
  /** How many readings of the site there were, this one included. */
  readonly count: number;
  readonly n: number;
  readonly id: string;
  /** Of the rules that held for it; 0 where there are none. */
  readonly version: number;
}
interface Counted {
  readonly id: string;
  readonly n: number;
  readonly version: number;
}

export const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
export const RULES = topic('rules', { key: utf8, value: float64 });
export const COUNTS = topic('counts', { key: utf8, value: json<SiteCount>() });
export const SITES = 5;
export const COUNTING = 'count';

export const siteOf = (id: string): string => `site-${Number(id.slice(1)) % SITES}`;
const VERSION = 'version';

const countSites = <K>(stream: Stream<K, Counted>): void =>
  stream
    .keyBy(utf8, ({ id }) => siteOf(id), { name: 'by-site', value: json<Counted>() })
    .mapWithState<number, SiteCount>(COUNTING, float64, ({ id, n, version }, count = 0, site) => {
      return { state: count + 1, value: { site, id, n, version, count: count + 1 } };
    })
    .sink('counts', COUNTS);

/** Deduplicated per sensor, then counted. */
export const twoStages: JobDefinition = {
  define: (streams) =>
    countSites(
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .filterWithState('newer', float64, ({ n }, last) => ({ state: n, keep: last === undefined || n > last }))
        .map(({ id, n }) => ({ id, n, version: 0 })),
    ),
};

/** The same, with a shuffle in front. */
export const threeStages: JobDefinition = {
  define: (streams) =>
    countSites(
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { name: 'by-sensor' })
        .filterWithState('newer', float64, ({ n }, last) => ({ state: n, keep: last === undefined || n > last }))
        .map(({ id, n }) => ({ id, n, version: 0 })),
    ),
};

class Ruled extends KeyedBroadcastProcess<string, Reading, number, Counted> {
  #rules!: BroadcastState<string, number>;

  override open(context: KeyedBroadcastContext<string>): void {
    this.#rules = context.broadcastState(broadcastState('rules', utf8, float64));
  }

  override process({ id, n }: Reading, out: Collector<Counted>): void {
    out.collect({ id, n, version: this.#rules.get(VERSION) ?? 0 });
  }

  override processBroadcast(version: number): void {
    this.#rules.put(VERSION, version);
  }
}

/** Joined with rules that every task reads, then counted. */
export const broadcastJoin: JobDefinition = {
  define: (streams) =>
    countSites(
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .connect(streams.source('rules', RULES).broadcast())
        .process('ruled', () => new Ruled()),
    ),
};
