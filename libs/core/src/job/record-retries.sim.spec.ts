import { describe, expect, it } from '@jest/globals';
import { JobTestDriver, type JobTestOptions } from '@weir/testing';
import { type BadRecordPolicy, type Collector, float64, type JobDefinition, type KeyedContext, KeyedFlatMap, readDeadLetter, topic, utf8, type ValueState, valueState } from '@weir/core';

const IN = topic('in', { key: utf8, value: utf8 });
const OUT = topic('out', { key: utf8, value: utf8 });
const DEAD = topic('dead', { key: utf8, value: utf8 });

/** Throws half-way: after it has counted and collected. Says when it was called, and with what. */
class Fragile extends KeyedFlatMap<string, string, string> {
  #count!: ValueState<number>;

  constructor(private readonly world: World) {
    super();
  }

  override open(context: KeyedContext<string>): void {
    this.#count = context.state(valueState('count', float64));
  }

  override flatMap(value: string, out: Collector<string>): void {
    const { world } = this;
    world.calls.push(`${value}@${world.now()}`);
    const count = (this.#count.value() ?? 0) + 1;
    this.#count.update(count);
    out.collect(`${value} is ${count}`);
    const left = world.failures.get(value) ?? 0;
    if (left === 0) return;
    world.failures.set(value, left - 1);
    throw new Error('not yet');
  }
}

class World {
  readonly calls: string[] = [];
  readonly failures: Map<string, number>;
  now = (): number => 0;

  constructor(failures: Readonly<Record<string, number>>) {
    this.failures = new Map(Object.entries(failures));
  }
}

const retried = (policy: 'fail' | 'skip' | { deadLetter: string }, attempts = 3): BadRecordPolicy => ({ policy, retries: { attempts, delay: 1_000, multiplier: 2, maxDelay: 3_000 } });

function jobOf(world: World, onBadRecord: BadRecordPolicy): JobDefinition {
  return {
    define: (streams) =>
      streams
        .source('in', IN)
        .keyBy(utf8, (value) => value[0]!, { alreadyPartitioned: { partitioner: () => 0 } })
        .flatMap('fragile', () => new Fragile(world), { onBadRecord })
        .sink('out', OUT),
  };
}

async function start(world: World, policy: BadRecordPolicy, options: Partial<JobTestOptions> = {}): Promise<JobTestDriver> {
  const settings = { checkpointing: { interval: 100 }, restartStrategy: { type: 'none' } as const };
  const driver = await JobTestDriver.start(jobOf(world, policy), { topics: { in: 1, out: 1 }, outputs: ['out'], settings, ...options });
  const zero = driver.clock.monotonic();
  world.now = () => Math.round((driver.clock.monotonic() - zero) / 1_000);
  return driver;
}

const outOf = (driver: JobTestDriver): (string | null)[] => driver.readAll(OUT).map(({ value }) => value);
const pipe = (driver: JobTestDriver, ...values: string[]): void => values.forEach((value) => driver.pipe(IN, value[0]!, value));
/** The calls with this value, as seconds. */
const timesOf = ({ calls }: World, value: string): number[] => calls.filter((call) => call.startsWith(`${value}@`)).map((call) => Number(call.split('@')[1]));

describe('a record at which a function throws, with retries', () => {
  it('is tried again after each delay, from the last commit: what the failed tries did is not there, and nothing overtakes it (Q1)', async () => {
    const world = new World({ a2: 3 });
    const driver = await start(world, retried('fail'));
    pipe(driver, 'a1', 'a2', 'a3', 'b1');
    await driver.clock.advance(20_000);
    await driver.checkpoint();
    expect(outOf(driver)).toEqual(['a1 is 1', 'a2 is 2', 'a3 is 3', 'b1 is 1']);
    expect(timesOf(world, 'a2')).toEqual([0, 1, 3, 6]);
    expect(Math.min(...timesOf(world, 'b1'))).toBe(6);
    expect(driver.overview().status).toBe('RUNNING');
  });

  it('goes to the policy once it has failed once more than it may be tried again: once, with where it came from', async () => {
    const world = new World({ a2: 99 });
    const driver = await start(world, retried({ deadLetter: 'dead' }, 2));
    pipe(driver, 'a1', 'a2', 'b1');
    await driver.clock.advance(20_000);
    await driver.checkpoint();
    expect(timesOf(world, 'a2')).toEqual([0, 1, 3]);
    const dead = driver.readAll(DEAD);
    expect(dead.map(({ value, headers }) => [value, readDeadLetter(headers)!.letter])).toEqual([['a2', expect.objectContaining({ operator: 'fragile', offset: 1, errorCode: 'FUNCTION_FAILED' })]]);
    expect(outOf(driver)).toEqual(['a1 is 1', 'a2 is 2', 'b1 is 1']); // what it did before it threw at the last try stays
  });

  it('fails the job after the last try where that is the policy, and not by the restart strategy', async () => {
    const world = new World({ a1: 99 });
    const driver = await start(world, retried('fail', 1));
    pipe(driver, 'a1');
    await driver.clock.advance(5_000);
    expect(await driver.ended()).toMatchObject({ status: 'FAILED', error: { code: 'FUNCTION_FAILED' } });
    expect(timesOf(world, 'a1')).toEqual([0, 1]);
  });

  it('makes progress where one record after the other fails: each is tried as often, and none before it is computed again for good (Q3)', async () => {
    const values = ['a1', 'b1', 'a2', 'b2', 'a3', 'b3'];
    const world = new World(Object.fromEntries(values.map((value) => [value, value < 'a9' && value.startsWith('a') ? 99 : 1])));
    const driver = await start(world, retried('skip', 2));
    pipe(driver, ...values);
    await driver.clock.advance(60_000);
    await driver.checkpoint();
    expect(driver.readAll(OUT).map(({ value }) => value!.split(' ')[0])).toEqual(values);
    expect(values.map((value) => timesOf(world, value).length)).toEqual([3, 2, 3, 2, 3, 2]);
  });

  it('is not waited for by a stop', async () => {
    const world = new World({ a2: 99 });
    const driver = await start(world, { policy: 'fail', retries: { attempts: 5, delay: 3_000_000, maxDelay: 3_000_000 } });
    pipe(driver, 'a1', 'a2');
    await driver.clock.advance(1_000);
    await driver.stop();
    world.failures.clear();
    await driver.recover();
    await driver.checkpoint();
    expect(outOf(driver)).toEqual(['a1 is 1', 'a2 is 2']);
  });
});

describe('the other tasks of the job', () => {
  it('go on committing while a task waits for its record, and rounds complete again behind it', async () => {
    const world = new World({ a1: 1 });
    const job: JobDefinition = {
      define: (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, (value) => value[0]!, { alreadyPartitioned: { partitioner: (buffer, from) => (buffer[from] === 97 ? 0 : 1) } })
          .flatMap('fragile', () => new Fragile(world), { onBadRecord: { policy: 'fail', retries: { attempts: 1, delay: 60_000 } } })
          .sink('out', OUT),
    };
    const driver = await JobTestDriver.start(job, { topics: { in: 2, out: 1 }, outputs: ['out'], settings: { checkpointing: { interval: 100 } } });
    driver.pipe(IN, 'a', 'a1', { partition: 0 });
    driver.pipe(IN, 'b', 'b1', { partition: 1 });
    await driver.clock.advance(10_000);
    expect(outOf(driver)).toEqual(['b1 is 1']);
    expect(driver.overview()).toMatchObject({ status: 'RESTARTING', reason: expect.stringContaining('tried again in 60000 ms (1 of 1)') });
    await driver.clock.advance(60_000);
    await driver.checkpoint();
    expect(outOf(driver).sort()).toEqual(['a1 is 1', 'b1 is 1']);
    expect(driver.overview().status).toBe('RUNNING');
  });
});
