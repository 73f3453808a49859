import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, ManualClock } from '@weir/testing';
import { boolean, bytes, utf8 } from '../codec/primitives.js';
import type { JobDefinition } from '../job/job-definition.js';
import { operatorListState, type OperatorListState } from '../state/operator-state.js';
import { mapState } from '../state/descriptors.js';
import type { MapState } from '../state/map-state.js';
import { type KeyedContext, KeyedFlatMap, type OperatorContext, ProcessFunction } from '../topology/functions.js';
import { topic } from '../topology/topic.js';

const IN = topic('in', { key: utf8, value: bytes });
const OUT = topic('out', { key: utf8, value: bytes });
const MIB = 1024 * 1024;

class Keep extends KeyedFlatMap<string, Uint8Array, Uint8Array> {
  #kept!: MapState<string, Uint8Array>;

  override open(context: KeyedContext<string>): void {
    this.#kept = context.state(mapState('kept', utf8, bytes));
  }

  override flatMap(value: Uint8Array): void {
    this.#kept.put('entry', nineTimes(value));
  }
}

class Buffering extends ProcessFunction<Uint8Array, Uint8Array> {
  #buffer!: OperatorListState<Uint8Array>;

  override open(context: OperatorContext): void {
    this.#buffer = context.operatorState(operatorListState('buffer', bytes));
  }

  override process(value: Uint8Array): void {
    this.#buffer.add(nineTimes(value));
  }
}

const nineTimes = (value: Uint8Array): Uint8Array => Buffer.alloc(9 * value.length);
const keyed = { alreadyPartitioned: { partitioner: 'murmur2' } } as const;
const keeping: JobDefinition = { define: (streams) => streams.source('in', IN).keyBy(utf8, () => 's1', keyed).flatMap<Uint8Array>('keep', () => new Keep()).sink('alerts', OUT) };
const buffering: JobDefinition = { define: (streams) => streams.source('in', IN).process<Uint8Array>('collect', () => new Buffering()).sink('alerts', OUT) };
const sending: JobDefinition = { define: (streams) => streams.source('in', IN).map(nineTimes).sink('alerts', OUT) };
const shuffling: JobDefinition = {
  define: (streams) =>
    streams
      .source('in', IN)
      .map(nineTimes)
      .keyBy(utf8, () => 's1', { name: 'by-site', value: bytes })
      .filterWithState('known', boolean, (_, known = false) => ({ state: true, keep: !known }))
      .sink('alerts', OUT),
};

/** Pipes a small record and one that becomes 9 MiB. @returns what the job failed with, and what it wrote */
async function run(job: JobDefinition): Promise<{ readonly failure: unknown; readonly stored: readonly string[] }> {
  const clock = new ManualClock();
  const cluster = new InMemoryCluster({ clock });
  cluster.createTopic('in', 1, { 'max.message.bytes': String(16 * MIB) });
  const driver = await JobTestDriver.start(job, { topics: { in: 1, out: 1 }, outputs: ['out'], clock, cluster });
  driver.pipe(IN, 's1', Buffer.alloc(1));
  driver.pipe(IN, 's1', Buffer.alloc(MIB - 100));
  const failure = await driver.checkpoint().catch((thrown: unknown) => thrown);
  // The stage behind the shuffle records where it begins, and the rounds go on.
  const written = cluster.topicNames().filter((name) => !['in', 'test-0-1-changelog', 'test-control'].includes(name));
  const stored = written.flatMap((name) => cluster.allRecords(name, 0).map(() => name));
  await driver.crash();
  return { failure, stored };
}

describe('what a topic does not take is refused before anything of its epoch is sent, and is named:', () => {
  it.each([
    ['an entry of keyed state', keeping, 'An entry of state kept of operator keep for key "s1" (2 bytes), entry "entry" (5 bytes) takes 9436', 'test-0-0-changelog takes at most 8388608'],
    ['an entry of operator state', buffering, 'An entry of state buffer of operator collect takes 9436', 'test-0-0-changelog takes at most 8388608'],
    ['a record of a sink', sending, 'A record of sink alerts with key "s1" (2 bytes) takes 9436', 'out takes at most 1048588'],
    ['a shuffled record', shuffling, 'A record of shuffle by-site with key "s1" (2 bytes) takes 9436', 'test-0-by-site-repartition takes at most 8388608'],
  ])('%s', async (_, job, what, limit) => {
    const { failure, stored } = await run(job);
    expect(failure).toMatchObject({ code: 'RECORD_TOO_LARGE', kind: 'invalid', cause: { code: 'LOG_RECORD_TOO_LARGE' } });
    expect(String(failure)).toContain(what);
    expect(String(failure)).toContain(limit);
    expect(stored).toEqual([]);
  });

  it('and a larger one is taken where the internal topics are to take it', async () => {
    const driver = await JobTestDriver.start(keeping, { topics: { in: 1, out: 1 }, outputs: ['out'], settings: { internalTopics: { maxMessageBytes: 16 * MIB } } });
    driver.pipe(IN, 's1', Buffer.alloc(MIB - 100));
    await driver.checkpoint();
    await driver.crash();
    driver.disk.wipe();
    await driver.recover();
    const entries = driver.committedState('keep', utf8).map(mapState('kept', utf8, bytes), 's1');
    expect(entries.map(([name, value]) => [name, value.length])).toEqual([['entry', 9 * (MIB - 100)]]);
  });
});
