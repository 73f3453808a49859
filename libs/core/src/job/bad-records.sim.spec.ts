import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, JobTestDriver, LIFELIKE, ManualClock, ProcessKilled, SeededRandom } from '@weir/testing';
import { float64, type JobDefinition, readDeadLetter, textCodec, topic, utf8 } from '@weir/core';

/** Readings are "key,number"; those without a comma cannot be decoded, and 13 is what a function throws at. */
const line = textCodec<readonly [key: string, n: number]>({
  id: 'line',
  encode: ([key, n]) => `${key},${n}`,
  decode: (text) => {
    const [key, n] = text.split(',');
    if (n === undefined) throw new Error('no comma');
    return [key!, Number(n)];
  },
});
const IN = topic('in', { key: utf8, value: line });
const RAW = topic('in', { key: utf8, value: utf8 });
const OUT = topic('out', { key: utf8, value: utf8 });
const DEAD = topic('dead', { key: utf8, value: utf8 });
const PARTITIONS = 3;

const job: JobDefinition = {
  define: (streams) =>
    streams
      .source('lines', IN)
      .keyBy(utf8, ([key]) => key, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .mapWithState<number, string>('count', float64, ([, n], count = 0) => {
        if (n % 13 === 0) throw new Error('thirteen');
        return { state: count + 1, value: `${n} is ${count + 1}` };
      })
      .sink('out', OUT),
};

function start(seed: number): Promise<JobTestDriver> {
  const clock = new ManualClock({ seed });
  const cluster = new InMemoryCluster({ clock, seed, ...LIFELIKE });
  const settings = { badRecords: { deadLetter: 'dead' }, checkpointing: { interval: 100 }, restartStrategy: { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } } as const;
  return JobTestDriver.start(job, { topics: { in: PARTITIONS, out: PARTITIONS }, outputs: ['out'], seed, clock, cluster, settings });
}

/** Commits all there is, starting the job again whenever a planned fault has killed it. */
async function finish(driver: JobTestDriver): Promise<void> {
  for (let act = (): Promise<void> => driver.checkpoint(); ; ) {
    try {
      await act();
      return;
    } catch (thrown) {
      if (!(thrown instanceof ProcessKilled)) throw thrown;
      await driver.crash();
      act = async () => {
        if (!driver.isAlive) await driver.recover();
        await driver.checkpoint();
      };
    }
  }
}

interface Piped {
  readonly good: string[];
  readonly bad: string[];
}

/** Pipes numbered lines, some of them bad, and says which are. */
function pipe(driver: JobTestDriver, random: SeededRandom, from: number, count: number): Piped {
  const piped: Piped = { good: [], bad: [] };
  for (let n = from; n < from + count; n++) {
    const key = `k${random.between(1, 9)}`;
    const isLine = !random.chance(0.15);
    const text = isLine ? `${key},${n}` : `#${n}`;
    driver.pipe(RAW, key, text, { headers: [{ key: 'n', value: Buffer.from(String(n)) }], timestamp: 1_000 + n });
    (isLine && n % 13 !== 0 ? piped.good : piped.bad).push(text);
  }
  return piped;
}

const POINTS = ['append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'openWriter:applied'] as const;

async function runWithKills(seed: number): Promise<{ readonly driver: JobTestDriver; readonly piped: Piped; readonly kills: number }> {
  const driver = await start(seed);
  const random = new SeededRandom(seed).fork(5);
  const piped: Piped = { good: [], bad: [] };
  const kills = driver.cluster.faults.randomly({ points: [...POINTS], probability: 0.02, action: () => ({ type: 'kill' }) });
  for (let round = 0; round < 12; round++) {
    const more = pipe(driver, random, round * 40 + 1, 40);
    piped.good.push(...more.good);
    piped.bad.push(...more.bad);
    await finish(driver);
  }
  kills.remove();
  if (!driver.isAlive) {
    await driver.crash();
    await driver.recover();
  }
  await finish(driver);
  return { driver, piped, kills: kills.hits };
}

const byNumber = (a: string, b: string): number => Number(/\d+$/.exec(a)![0]) - Number(/\d+$/.exec(b)![0]);

describe('bad records of a job that is killed again and again', () => {
  it('are each in the dead-letter topic once, and each other one in the output: seeds 1 to 6', async () => {
    let killed = 0;
    for (let seed = 1; seed <= 6; seed++) {
      const { driver, piped, kills } = await runWithKills(seed);
      killed += kills;
      const dead = driver.readAll(DEAD);
      expect(dead.map(({ value }) => value!).sort(byNumber)).toEqual([...piped.bad].sort(byNumber));
      expect(driver.readAll(OUT).map(({ value }) => Number(value!.split(' ')[0])).sort((a, b) => a - b)).toEqual(piped.good.map((text) => Number(text.split(',')[1])).sort((a, b) => a - b));
      for (const { key, value, headers, timestamp, partition } of dead) {
        const { letter, own } = readDeadLetter(headers)!;
        const [origin] = driver.cluster.committedRecords('in', letter.partition).filter(({ offset }) => offset === letter.offset);
        expect([origin!.key!.toString(), origin!.value!.toString(), origin!.headers, origin!.timestamp]).toEqual([key, value, own, timestamp]);
        expect([letter.job, letter.topic, partition]).toEqual(['test-job', 'in', letter.partition]);
        expect([letter.operator, letter.errorCode]).toEqual(value!.includes(',') ? ['count', 'FUNCTION_FAILED'] : ['lines', 'RECORD_UNDECODABLE']);
      }
      expect(piped.bad.length).toBeGreaterThan(50);
    }
    expect(killed).toBeGreaterThan(12);
  });

  it('leave state untouched where state and result are returned together: counts go up by one for each good line', async () => {
    const { driver } = await runWithKills(7);
    const counts = new Map<string, number>();
    for (const { key, value } of driver.readAll(OUT)) {
      const count = (counts.get(key!) ?? 0) + 1;
      counts.set(key!, count);
      expect([key, Number(value!.split(' ')[2])]).toEqual([key, count]);
    }
    expect(counts.size).toBe(9);
  });
});

describe('a job that is to fail on bad records', () => {
  it('goes on at the record once it can be processed: nothing was written of it', async () => {
    let isMended = false;
    const mended: JobDefinition = {
      define: (streams) =>
        streams
          .source('lines', RAW)
          .map((text) => {
            if (!isMended && text === 'bad') throw new Error('not yet');
            return text;
          })
          .sink('out', OUT),
    };
    const driver = await JobTestDriver.start(mended, { topics: { in: 1, out: 1 }, outputs: ['out'] });
    for (const text of ['a', 'bad', 'c']) driver.pipe(RAW, 'k', text);
    const outcome = await driver.ended();
    expect(outcome).toMatchObject({ status: 'FAILED', error: { code: 'FUNCTION_FAILED' } });
    expect(driver.cluster.describeTopic('dead')).toBeUndefined();
    await driver.crash();
    isMended = true;
    await driver.recover();
    await driver.checkpoint();
    expect(driver.readAll(OUT).map(({ value }) => value)).toEqual(['a', 'bad', 'c']);
  });
});
