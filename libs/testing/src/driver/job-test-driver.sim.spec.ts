import { describe, expect, it } from '@jest/globals';
import {
  ByteWriter,
  type JobDefinition,
  json,
  keyGroupOf,
  type LogFactory,
  PARTITIONERS,
  type StateBackendFactory,
  stateIdOf,
  topic,
  utf8,
  valueState,
  type WeirError,
  writeStoredKey,
} from '@weir/core';
import { LIFELIKE } from '../memory-log/cluster-options.js';
import { JobTestDriver, type JobTestOptions, ProcessKilled } from './job-test-driver.js';

/** Counts the words of each user. */
interface Count {
  readonly user: string;
  readonly count: number;
}
const WORDS = topic('words', { key: utf8, value: utf8 });
const COUNTS = topic('counts', { key: utf8, value: json<Count>() });
const COUNT = valueState('state', json<number>());
const countJob: JobDefinition = {
  define: (streams) =>
    streams
      .source('words', WORDS)
      .filter((word) => {
        if (word === 'poison') throw new TypeError('cannot count this');
        return true;
      })
      .keyBy(utf8, (word) => word.split(' ')[0]!, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .mapWithState<number, Count>('count', json<number>(), (word, count = 0, user) =>
        word.endsWith(' reset') ? { state: undefined, value: { user, count: 0 } } : { state: count + 1, value: { user, count: count + 1 } },
      )
      .sink('counts', COUNTS),
};

/** The same behind two shuffles. */
const shuffleJob: JobDefinition = {
  define: (streams) =>
    streams
      .source('words', WORDS)
      .keyBy(utf8, (word) => word, { name: 'by-word' })
      .filterWithState('any', json<boolean>(), () => ({ state: true, keep: true }))
      .keyBy(utf8, (word) => word.split(' ')[0]!, { name: 'by-user', value: utf8 })
      .mapWithState<number, Count>('count', json<number>(), (_word, count = 0, user) => ({ state: count + 1, value: { user, count: count + 1 } }))
      .sink('counts', COUNTS),
};

/** Copies records as they are. */
const IN = topic('in', { key: utf8, value: utf8 });
const OUT = topic('out', { key: utf8, value: utf8 });
const copyJob: JobDefinition = { define: (streams) => streams.source('in', IN).filter(() => true).sink('out', OUT) };

const startCounting = (options: Partial<JobTestOptions> = {}) =>
  JobTestDriver.start(countJob, { topics: { words: 2, counts: 2 }, outputs: ['counts'], ...options });
const startCopying = (options: Partial<JobTestOptions> = {}) =>
  JobTestDriver.start(copyJob, { topics: { in: 3, out: 3 }, outputs: ['out'], ...options });
const say = (driver: JobTestDriver, ...users: string[]): void => {
  for (const user of users) driver.pipe(WORDS, user, `${user} says`);
};
/** What an output holds, without where it lies. */
const countsOf = (records: readonly { readonly value: Count | null }[]): string[] =>
  records.map(({ value }) => `${value!.user} ${value!.count}`).sort();

describe('piping records in', () => {
  it('puts a key where the topic\'s partitioner says, or where the spec says', async () => {
    const driver = await startCopying();
    const own = topic('in', { key: utf8, value: utf8, partitioner: () => 2 });
    const crc = topic('in', { key: utf8, value: utf8, partitioner: 'crc32' });
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const placed = (by: 'murmur2' | 'crc32', key: string): number => PARTITIONERS[by](Buffer.from(key), 0, key.length, 3);
    for (const key of keys) driver.pipe(IN, key, 'murmur2');
    for (const key of keys) driver.pipe(crc, key, 'crc32');
    driver.pipe(own, 'k0', 'own');
    driver.pipe(IN, 'k0', 'given', { partition: (placed('murmur2', 'k0') + 1) % 3 });
    const records = [0, 1, 2].flatMap((partition) => driver.cluster.committedRecords('in', partition));
    const at = records.map(({ key, value, partition }) => [value, key, partition].join(' '));
    const expected = keys.flatMap((key) => (['murmur2', 'crc32'] as const).map((by) => `${by} ${key} ${placed(by, key)}`));
    expect(at.sort()).toEqual([...expected, 'own k0 2', `given k0 ${(placed('murmur2', 'k0') + 1) % 3}`].sort());
  });

  it('puts records without a key into the partitions in turn', async () => {
    const driver = await startCopying();
    for (const value of ['a', 'b', 'c', 'd']) driver.pipe(IN, null, value);
    const at = [0, 1, 2].map((partition) => driver.cluster.committedRecords('in', partition).map(({ value }) => value!.toString()));
    expect(at).toEqual([['a', 'd'], ['b'], ['c']]);
  });

  it('carries timestamp, headers, a null key and a null value, and takes the wall clock for a time that is not given', async () => {
    const driver = await startCopying();
    const headers = [{ key: 'trace', value: Buffer.from('1') }, { key: 'none', value: null }];
    await driver.advance(5_000);
    driver.pipe(IN, 'k', 'v', { timestamp: 7, headers, partition: 0 });
    driver.pipe(IN, null, null, { partition: 1 });
    const now = driver.clock.wall();
    await driver.checkpoint();
    const read = driver.read(OUT).map(({ key, value, timestamp, headers: carried }) => ({ key, value, timestamp, headers: carried }));
    expect(read).toHaveLength(2);
    const expected = [{ key: 'k', value: 'v', timestamp: 7, headers }, { key: null, value: null, timestamp: now, headers: [] }];
    expect(read).toEqual(expect.arrayContaining(expected));
  });

  it('creates only the topics that are missing, and none after the start', async () => {
    const first = await startCopying();
    first.pipe(IN, 'k', 'v');
    await first.checkpoint();
    await first.stop();
    const second = await startCopying({ cluster: first.cluster, clock: first.clock });
    expect(second.readAll(OUT).map(({ value }) => value)).toEqual(['v']);
    expect(() => second.pipe(topic('elsewhere', { key: utf8, value: utf8 }), 'k', 'v')).toThrow(/LOG_PARTITION_MISSING/);
  });
});

describe('reading outputs', () => {
  it('gives each record once, and all of them to who asks for all', async () => {
    const driver = await startCounting();
    say(driver, 'ann', 'bob');
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1', 'bob 1']);
    expect(driver.read(COUNTS)).toEqual([]);
    say(driver, 'ann');
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 2']);
    expect(countsOf(driver.readAll(COUNTS))).toEqual(['ann 1', 'ann 2', 'bob 1']);
    expect(driver.read(COUNTS)).toEqual([]);
  });

  it('keeps the order of offsets within a partition, and says where each record lies', async () => {
    const driver = await startCopying();
    for (let i = 0; i < 5; i++) driver.pipe(IN, null, String(i), { partition: 1 });
    driver.pipe(IN, 'k', 'other', { partition: 2 });
    await driver.checkpoint();
    const byPartition = new Map<number, number[]>();
    for (const { partition, offset } of driver.read(OUT)) byPartition.set(partition, [...(byPartition.get(partition) ?? []), offset]);
    expect([...byPartition.values()].flat()).toHaveLength(6);
    for (const offsets of byPartition.values()) expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
  });

  it('shows nothing before the commit, and nothing of a topic that is not there', async () => {
    const driver = await startCounting({ settings: { checkpointing: { interval: 1_000 } } });
    say(driver, 'ann');
    await driver.advance(100);
    expect(driver.overview().tasks.reduce((sum, { recordsIn }) => sum + recordsIn, 0)).toBe(1);
    expect(driver.read(COUNTS)).toEqual([]);
    expect(driver.read(topic('nowhere', { key: utf8, value: utf8 }))).toEqual([]);
    await driver.advance(2_000);
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1']);
  });
});

describe('a checkpoint', () => {
  it.each([1, 2, 3, 4, 5])('waits until all that was piped is in output, state and disk, on a slow network too (seed %i)', async (seed) => {
    const driver = await startCounting({ network: LIFELIKE, seed });
    const users = Array.from({ length: 20 }, (_, i) => `u${i}`);
    for (let round = 1; round <= 3; round++) {
      say(driver, ...users);
      await driver.checkpoint();
      expect(countsOf(driver.read(COUNTS))).toEqual(users.map((user) => `${user} ${round}`).sort());
      const stateOf = driver.stateReader('count', COUNT, utf8);
      expect(users.map(stateOf)).toEqual(users.map(() => round));
      // The coordinator writes rounds all the time.
      expect(driver.cluster.openTransactions().filter(({ transactionalId }) => transactionalId !== 'test-coordinator')).toEqual([]);
      for (const [name, changelog] of driver.changelogs()) expect(driver.disk.entries(name)).toEqual(changelog);
    }
  });

  it.each([1, 2, 3, 4, 5])('waits for every stage of a job that shuffles (seed %i)', async (seed) => {
    const driver = await JobTestDriver.start(shuffleJob, { topics: { words: 2, counts: 2 }, outputs: ['counts'], network: LIFELIKE, seed });
    for (let round = 1; round <= 5; round++) {
      say(driver, 'ann', 'bob', 'eve');
      await driver.checkpoint();
      expect(countsOf(driver.read(COUNTS))).toEqual(['ann', 'bob', 'eve'].map((user) => `${user} ${round}`));
    }
  });

  it('takes no time when there is nothing to wait for', async () => {
    const driver = await startCounting();
    const before = driver.clock.monotonic();
    await driver.checkpoint();
    expect(driver.clock.monotonic()).toBe(before);
  });

  it('throws the error that failed the job, and goes on throwing it', async () => {
    const driver = await startCounting();
    say(driver, 'ann');
    await driver.checkpoint();
    driver.pipe(WORDS, 'x', 'poison');
    await expect(driver.checkpoint()).rejects.toThrow(/cannot count this/);
    await expect(driver.checkpoint()).rejects.toThrow(/cannot count this/);
    expect(driver.overview().status).toBe('FAILED');
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1']);
    expect(await driver.ended()).toMatchObject({ status: 'FAILED', error: expect.objectContaining({ kind: 'data' }) });
  });
});

describe('looking at state', () => {
  it('shows the committed value of a key, undefined for none, for one deleted and for another state', async () => {
    const driver = await startCounting();
    say(driver, 'ann', 'ann', 'bob');
    expect(driver.state('count', COUNT, utf8, 'ann')).toBeUndefined();
    await driver.checkpoint();
    driver.pipe(WORDS, 'bob', 'bob reset');
    await driver.checkpoint();
    expect(driver.state('count', COUNT, utf8, 'ann')).toBe(2);
    expect(driver.state('count', COUNT, utf8, 'bob')).toBeUndefined();
    expect(driver.state('count', COUNT, utf8, 'eve')).toBeUndefined();
    expect(driver.state('other', COUNT, utf8, 'ann')).toBeUndefined();
    expect(driver.state('count', valueState('other', json<number>()), utf8, 'ann')).toBeUndefined();
  });

  it('finds it by the number of key groups that the job was given', async () => {
    const driver = await startCounting({ settings: { maxParallelism: 7 } });
    say(driver, 'ann');
    await driver.checkpoint();
    expect(driver.state('count', COUNT, utf8, 'ann')).toBe(1);
  });

  it('reads many keys from one look, which later commits do not change', async () => {
    const driver = await startCounting();
    say(driver, 'ann');
    await driver.checkpoint();
    const stateOf = driver.stateReader('count', COUNT, utf8);
    say(driver, 'ann');
    await driver.checkpoint();
    expect(stateOf('ann')).toBe(1);
    expect(driver.state('count', COUNT, utf8, 'ann')).toBe(2);
  });

  it('replays the changelog of each task, with deleted keys gone', async () => {
    const driver = await startCounting();
    const key = (user: string): string => {
      const stored = new ByteWriter();
      writeStoredKey(stored, keyGroupOf(Buffer.from(user), 0, user.length, 128), stateIdOf('count', 'state'), Buffer.from(user));
      return stored.copy().toString('latin1');
    };
    say(driver, 'ann', 'bob');
    await driver.checkpoint();
    expect([...driver.changelogs().keys()]).toEqual(['0-0', '0-1']);
    const held = (user: string): boolean[] => [...driver.changelogs().values()].map((changelog) => changelog.has(key(user)));
    expect(held('ann').filter(Boolean)).toEqual([true]);
    driver.pipe(WORDS, 'ann', 'ann reset');
    await driver.checkpoint();
    expect(held('ann')).toEqual([false, false]);
    expect(held('bob').filter(Boolean)).toEqual([true]);
  });
});

describe('a crash', () => {
  it('loses what was not committed, which is then done again, once', async () => {
    const driver = await startCounting({ settings: { checkpointing: { interval: 1_000 } } });
    say(driver, 'ann');
    await driver.checkpoint();
    say(driver, 'ann', 'bob');
    await driver.advance(50);
    await driver.crash();
    expect(driver.isAlive).toBe(false);
    await driver.advance(60_000);
    expect(countsOf(driver.readAll(COUNTS))).toEqual(['ann 1']);
    await driver.recover();
    expect(driver.isAlive).toBe(true);
    await driver.checkpoint();
    expect(countsOf(driver.readAll(COUNTS))).toEqual(['ann 1', 'ann 2', 'bob 1']);
  });

  it('keeps log and disk, so that the next process starts from its local state', async () => {
    const driver = await startCounting();
    say(driver, 'ann', 'bob');
    await driver.checkpoint();
    const before = driver.disk.positions();
    await driver.crash();
    expect(driver.disk.positions()).toEqual(before);
    await driver.recover();
    expect(driver.overview().tasks.map(({ restore }) => restore!.fromLocalState)).toEqual([true, true]);
    await driver.crash();
    driver.disk.wipe();
    await driver.recover();
    expect(driver.overview().tasks.map(({ restore }) => restore!.fromLocalState)).toEqual([false, false]);
    expect(driver.state('count', COUNT, utf8, 'ann')).toBe(1);
  });

  it('by a planned fault comes out of what waits, and leaves nobody but crash and recover to go on with', async () => {
    const driver = await startCounting();
    driver.cluster.faults.at('commit:send', { type: 'kill' });
    say(driver, 'ann');
    await expect(driver.checkpoint()).rejects.toThrow(ProcessKilled);
    expect(driver.isAlive).toBe(false);
    await expect(driver.checkpoint()).rejects.toThrow(ProcessKilled);
    await driver.crash();
    await driver.recover();
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1']);
  });

  it('of a task alone, whose disk is full, heals by itself and loses nothing', async () => {
    const driver = await startCounting();
    say(driver, 'ann');
    await driver.checkpoint();
    driver.disk.failApply(new Error('no space left on device'));
    say(driver, 'ann');
    await driver.checkpoint();
    await driver.until(() => driver.job.isReady());
    say(driver, 'ann');
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1', 'ann 2', 'ann 3']);
    expect(driver.telemetry.of('task-failed').map(({ error }) => (error as WeirError).code)).toEqual(['STATE_WRITE_FAILED']);
  });

  it('leaves nothing of the process behind: no client that lives, no timer', async () => {
    const driver = await startCounting();
    say(driver, 'ann');
    await driver.checkpoint();
    expect(driver.clock.pendingTimers).toBeGreaterThan(0);
    await driver.crash();
    expect(driver.clock.pendingTimers).toBe(0);
    expect(driver.cluster.clients.map(({ isAlive }) => isAlive)).toEqual([false]);
  });

  it('happens once: crashing twice is no error, and what needs a running job says how to get one', async () => {
    const driver = await startCounting();
    await expect(driver.recover()).rejects.toThrow(/runs already.*crash\(\) or stop\(\)/);
    await driver.crash();
    await driver.crash();
    expect(() => driver.overview()).toThrow(/does not run.*recover\(\)/);
    await expect(driver.checkpoint()).rejects.toThrow(/does not run.*recover\(\)/);
  });
});

describe('start, stop and end', () => {
  it('stops in order: what was read is committed, and a later start goes on from there', async () => {
    const driver = await startCounting({ settings: { checkpointing: { interval: 60_000 } } });
    say(driver, 'ann');
    await driver.advance(100);
    expect(await driver.stop()).toEqual({ status: 'CANCELED' });
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1']);
    expect(driver.isAlive).toBe(false);
    await driver.recover();
    say(driver, 'ann');
    await driver.stop();
    await driver.recover();
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 2']);
  });

  it('ends the process with the stop, also one that cannot stop in time: the next one starts on free stores', async () => {
    const driver = await startCounting();
    driver.cluster.faults.at('commit:send', { type: 'kill' });
    say(driver, 'ann');
    await driver.advance(5_000);
    expect(await driver.stop()).toMatchObject({ status: 'FAILED', error: expect.objectContaining({ code: 'STOP_TIMED_OUT' }) });
    await driver.recover();
    await driver.checkpoint();
    expect(countsOf(driver.read(COUNTS))).toEqual(['ann 1']);
  });

  it('throws from the start what cannot work, before anything runs or when it is found out', async () => {
    const empty = JobTestDriver.start({ define: () => undefined }, { topics: {} });
    await expect(empty).rejects.toMatchObject({ kind: 'invalid', code: 'TOPOLOGY_INVALID' });
    await expect(startCounting({ settings: { parallelism: 0 } })).rejects.toMatchObject({ kind: 'invalid' });
    await expect(startCounting({ settings: { parallelism: 3 } })).rejects.toMatchObject({ kind: 'invalid' });
  });

  it('lets a spec look at a job that does not come to run', async () => {
    const driver = JobTestDriver.startWithoutWaiting(copyJob, { topics: {} });
    await driver.advance(1_000);
    expect(driver.overview().status).toBe('INITIALIZING');
    expect(driver.telemetry.of('job-waiting')).not.toEqual([]);
    driver.cluster.createTopic('in', 1);
    await driver.until(() => driver.job.isReady());
    expect(driver.overview().status).toBe('RUNNING');
  });

  it('tells the outcome of a job that ends by itself', async () => {
    const driver = JobTestDriver.startWithoutWaiting(countJob, { topics: { words: 2 }, settings: { parallelism: 3 } });
    expect(await driver.ended()).toMatchObject({ status: 'FAILED', error: expect.objectContaining({ kind: 'invalid' }) });
  });
});

describe('options', () => {
  it('put something between the job and its log or its disk, at every start', async () => {
    const opened: string[] = [];
    const log = (inner: LogFactory): LogFactory => ({
      open: (context) => {
        opened.push(`log of ${context.clientId}`);
        return inner.open(context);
      },
    });
    const state = (inner: StateBackendFactory): StateBackendFactory => ({
      kind: inner.kind,
      open: (stores) => {
        opened.push(`disk for ${stores}`);
        return inner.open(stores);
      },
    });
    const driver = await startCounting({ log, state, settings: { applicationId: 'mine' } });
    await driver.crash();
    await driver.recover();
    expect(opened).toEqual(['log of mine', 'disk for 2', 'log of mine', 'disk for 2']);
    say(driver, 'ann');
    await driver.checkpoint();
    expect(driver.state('count', COUNT, utf8, 'ann')).toBe(1);
  });

  it('name the job', async () => {
    expect((await startCounting()).overview().name).toBe('test-job');
    expect((await startCounting({ name: 'mine' })).overview().name).toBe('mine');
  });
});

describe('two drivers on one cluster', () => {
  const startTwo = async (ids: readonly [string, string]) => {
    const first = await startCounting({ settings: { applicationId: ids[0] } });
    const second = await startCounting({ settings: { applicationId: ids[1] }, cluster: first.cluster, clock: first.clock });
    return { first, second };
  };

  it('are processes of their own: the death of one is not the other\'s, even under one application id', async () => {
    for (const ids of [['a', 'b'], ['a', 'a']] as const) {
      const { first, second } = await startTwo(ids);
      await second.crash();
      expect([first.isAlive, second.isAlive]).toEqual([true, false]);
    }
  });

  it('each notice a planned fault that kills their own', async () => {
    const { first, second } = await startTwo(['a', 'b']);
    first.cluster.faults.at('commit:send', { type: 'kill' }, { when: ({ clientId }) => clientId === 'a' });
    say(first, 'ann');
    await expect(first.checkpoint()).rejects.toThrow(ProcessKilled);
    await second.checkpoint();
    expect([first.isAlive, second.isAlive]).toEqual([false, true]);
  });
});

describe('a seed', () => {
  const run = async (seed: number): Promise<unknown> => {
    const driver = await startCounting({ network: LIFELIKE, seed });
    const { faults } = driver.cluster;
    const kills = faults.randomly({ points: ['append:applied', 'commit:send'], probability: 0.1, action: () => ({ type: 'kill' }) });
    for (let round = 0; round < 10; round++) {
      say(driver, 'ann', 'bob', 'eve');
      await driver.checkpoint().catch(async (thrown: unknown) => {
        expect(thrown).toBeInstanceOf(ProcessKilled);
        await driver.crash();
        kills.remove();
        await driver.recover();
      });
    }
    const topics = driver.cluster.topicNames().flatMap((name) => {
      const { partitions } = driver.cluster.describeTopic(name)!;
      return Array.from({ length: partitions }, (_, partition) => driver.cluster.allRecords(name, partition));
    });
    return { topics, events: driver.telemetry.events, ended: driver.clock.monotonic() };
  };

  it('gives the same run each time, to the last record, event and millisecond', async () => {
    expect(await run(5)).toEqual(await run(5));
  });

  it('is that of the clock and of the cluster', async () => {
    const { clock, cluster } = await startCounting({ seed: 7 });
    expect([clock.seed, cluster.seed]).toEqual([7, 7]);
  });

  it('gives another run than another seed', async () => {
    expect(await run(5)).not.toEqual(await run(6));
  });
});
