import { describe, expect, it } from '@jest/globals';
import { JobTestDriver, LIFELIKE, ProcessKilled, SeededRandom } from '@weir/testing';
import {
  type BroadcastState,
  broadcastState,
  type Collector,
  float64,
  type InitializationContext,
  json,
  type JobDefinition,
  KeyedBroadcastProcess,
  type KeyedBroadcastContext,
  type KeyedContext,
  KeyedProcess,
  type OperatorContext,
  type OperatorListState,
  operatorListState,
  OutputTag,
  ProcessFunction,
  topic,
  utf8,
  valueState,
  type ValueState,
} from '@weir/core';

interface Reading {
  readonly id: string;
  readonly t: number;
}
interface Limit {
  readonly id: string;
  readonly max: number;
}
const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
const LIMITS = topic('limits', { key: utf8, value: json<Limit>() });
const out = <T>() => topic('out', { key: utf8, value: json<T>() });
const side = <T>() => topic('side', { key: utf8, value: json<T>() });
const OUT = out<unknown>();
const SIDE = side<unknown>();
const settings = { checkpointing: { interval: 100 } };

describe('a process function', () => {
  const high = new OutputTag<string>('high');

  class Split extends KeyedProcess<string, Reading, number> {
    #context!: KeyedContext<string>;
    #count!: ValueState<number>;

    override open(context: KeyedContext<string>): void {
      this.#context = context;
      this.#count = context.state(valueState('count', float64));
    }

    override process({ t }: Reading, out: Collector<number>): void {
      const count = (this.#count.value() ?? 0) + 1;
      this.#count.update(count);
      if (t > 100) this.#context.output(high, `${this.#context.currentKey()} ${t}`);
      else out.collect(count);
    }
  }

  const job: JobDefinition = {
    define: (streams) => {
      const split = streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
        .process('split', () => new Split());
      split.sink('out', out<number>());
      split.sideOutput(high).sink('side', side<string>());
    },
  };

  it('sends to its main output and to side outputs, each with the key of the record', async () => {
    const driver = await JobTestDriver.start(job, { topics: { readings: 2, out: 1, side: 1 }, outputs: ['out', 'side'], settings });
    for (const t of [1, 200, 2]) driver.pipe(READINGS, 'a', { id: 'a', t });
    await driver.checkpoint();
    expect(driver.read(OUT).map(({ key, value }) => [key, value])).toEqual([['a', 1], ['a', 3]]);
    expect(driver.read(SIDE).map(({ key, value }) => [key, value])).toEqual([['a', 'a 200']]);
  });

  it('refuses to send to a side output that nothing reads', async () => {
    const unread: JobDefinition = {
      define: (streams) =>
        streams
          .source('readings', READINGS)
          .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
          .process('split', () => new Split())
          .sink('out', out<number>()),
    };
    const driver = await JobTestDriver.start(unread, { topics: { readings: 1, out: 1 }, outputs: ['out'], settings });
    driver.pipe(READINGS, 'a', { id: 'a', t: 200 });
    await expect(driver.checkpoint()).rejects.toThrow(/SIDE_OUTPUT_UNREAD/);
  });
});

describe('reduce and aggregate', () => {
  it('put out the running result of each key', async () => {
    const job: JobDefinition = {
      define: (streams) => {
        const keyed = streams.source('readings', READINGS).keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } });
        keyed.reduce('max', json<Reading>(), (a, b) => (a.t >= b.t ? a : b)).map(({ t }) => t).sink('out', out<number>());
        keyed
          .aggregate('mean', json<{ readonly sum: number; readonly count: number }>(), {
            createAccumulator: () => ({ sum: 0, count: 0 }),
            add: ({ sum, count }, { t }) => ({ sum: sum + t, count: count + 1 }),
            getResult: ({ sum, count }) => sum / count,
          })
          .sink('side', side<number>());
      },
    };
    const driver = await JobTestDriver.start(job, { topics: { readings: 1, out: 1, side: 1 }, outputs: ['out', 'side'], settings });
    for (const t of [3, 9, 6]) driver.pipe(READINGS, 'a', { id: 'a', t });
    await driver.checkpoint();
    expect(driver.read(OUT).map(({ value }) => value)).toEqual([3, 9, 9]);
    expect(driver.read(SIDE).map(({ value }) => value)).toEqual([3, 6, 6]);
  });
});

describe('operator state', () => {
  const restored: boolean[] = [];
  /** Sends values on in threes, and keeps what is left in operator state. */
  class Batching extends ProcessFunction<Reading, string> {
    #buffer: Reading[] = [];
    #state!: OperatorListState<Reading>;

    override open(context: OperatorContext): void {
      this.#state = context.operatorState(operatorListState('buffer', json<Reading>()));
    }

    override initializeState({ isRestored }: InitializationContext): void {
      restored.push(isRestored);
      this.#buffer = this.#state.get();
    }

    override process(reading: Reading, out: Collector<string>): void {
      this.#buffer.push(reading);
      if (this.#buffer.length < 3) return;
      out.collect(this.#buffer.map(({ t }) => t).join(' '));
      this.#buffer = [];
    }

    override snapshotState(): void {
      this.#state.update(this.#buffer);
    }
  }
  const job: JobDefinition = {
    define: (streams) => streams.source('readings', READINGS).process('batching', () => new Batching()).sink('out', out<string>()),
  };

  it('is put away before each commit, and is there after a crash, with and without local files', async () => {
    const driver = await JobTestDriver.start(job, { topics: { readings: 1, out: 1 }, outputs: ['out'], settings });
    const seen: unknown[] = [];
    for (let t = 1; t <= 11; t++) {
      driver.pipe(READINGS, 'a', { id: 'a', t });
      await driver.checkpoint();
      await driver.crash();
      if (t % 2 === 0) driver.disk.wipe();
      await driver.recover();
      seen.push(...driver.read(OUT).map(({ value }) => value));
    }
    expect(seen).toEqual(['1 2 3', '4 5 6', '7 8 9']);
    expect(restored).toEqual([false, ...Array.from({ length: 11 }, () => true)]);
  });
});

describe('a keyed stream beside a broadcast', () => {
  class LimitCheck extends KeyedBroadcastProcess<string, Reading, Limit, string> {
    #limits!: BroadcastState<string, number>;
    #over!: ValueState<number>;

    override open(context: KeyedBroadcastContext<string>): void {
      this.#limits = context.broadcastState(broadcastState('limits', utf8, float64));
      this.#over = context.state(valueState('over', float64));
    }

    override process({ id, t }: Reading, out: Collector<string>): void {
      const max = this.#limits.get(id);
      if (max === undefined || t <= max) return;
      const over = (this.#over.value() ?? 0) + 1;
      this.#over.update(over);
      out.collect(`${id} ${t} > ${max} (${over})`);
    }

    override processBroadcast({ id, max }: Limit): void {
      this.#limits.put(id, max);
    }
  }
  const job = (factory = () => new LimitCheck()): JobDefinition => ({
    define: (streams) => {
      const limits = streams.source('limits', LIMITS).filter(({ max }) => max > 0).broadcast();
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
        .connect(limits)
        .process('limit-check', factory)
        .sink('out', out<string>());
    },
  });
  const options = { topics: { readings: 4, limits: 2, out: 1 }, outputs: ['out', 'limits'], settings };

  it('sees the newest limit in every task, and keeps it over a crash with and without local files', async () => {
    const driver = await JobTestDriver.start(job(), options);
    const ids = ['a', 'b', 'c', 'd', 'e', 'f'];
    for (const id of ids) driver.pipe(LIMITS, id, { id, max: 10 });
    await driver.advance(500);
    for (const id of ids) driver.pipe(READINGS, id, { id, t: 11 });
    await driver.checkpoint();
    expect(driver.read(OUT).map(({ value }) => value).sort()).toEqual(ids.map((id) => `${id} 11 > 10 (1)`));
    for (const wipe of [false, true]) {
      await driver.crash();
      if (wipe) driver.disk.wipe();
      await driver.recover();
      for (const id of ids) driver.pipe(READINGS, id, { id, t: 12 });
      await driver.checkpoint();
      expect(driver.read(OUT).map(({ value }) => value).sort()).toEqual(ids.map((id) => `${id} 12 > 10 (${wipe ? 3 : 2})`));
    }
    for (const id of ids) driver.pipe(LIMITS, id, { id, max: 50 });
    await driver.advance(500);
    for (const id of ids) driver.pipe(READINGS, id, { id, t: 13 });
    await driver.checkpoint();
    expect(driver.read(OUT)).toEqual([]);
  });

  it('R9: reads the broadcast exactly to the end that each trigger names, so that all tasks hold the same in a cut', async () => {
    const driver = await JobTestDriver.start(job(), { ...options, network: LIFELIKE, seed: 5 });
    const random = new SeededRandom(5);
    for (let round = 0; round < 40; round++) {
      for (let i = 0; i < random.between(0, 20); i++) {
        const id = `s${random.between(1, 30)}`;
        driver.pipe(LIMITS, id, { id, max: random.between(1, 100) });
      }
      await driver.advance(random.between(20, 200));
    }
    await driver.advance(2_000);
    const states = [...driver.changelogs().values()].map((changelog) =>
      JSON.stringify([...changelog].filter(([key]) => key.startsWith('\x80\x00')).map(([key, value]) => [key, value.toString('hex')]).sort()),
    );
    expect(states).toHaveLength(4);
    expect(new Set(states).size).toBe(1);
    expect(states[0]!.length).toBeGreaterThan(100);
  });

  it('counts every reading once under kills', async () => {
    const driver = await JobTestDriver.start(job(), { ...options, network: LIFELIKE, seed: 9 });
    const random = new SeededRandom(9);
    driver.pipe(LIMITS, 'x', { id: 'x', max: 5 });
    await driver.advance(1_000);
    const kills = driver.cluster.faults.randomly({ points: ['append:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied'], probability: 0.02, action: () => ({ type: 'kill' }) });
    let piped = 0;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 10; i++) driver.pipe(READINGS, 'x', { id: 'x', t: 10 + piped++ });
      for (let settled = false; !settled; ) {
        try {
          await driver.checkpoint();
          settled = true;
        } catch (thrown) {
          if (!(thrown instanceof ProcessKilled)) throw thrown;
          await driver.crash();
          if (random.chance(0.3)) driver.disk.wipe();
          await driver.recover().catch(() => undefined);
        }
      }
    }
    kills.remove();
    await driver.until(() => driver.readAll(OUT).length >= piped);
    expect(driver.readAll(OUT).map(({ value }) => value)).toEqual(Array.from({ length: piped }, (_, i) => `x ${10 + i} > 5 (${i + 1})`));
    expect(kills.hits).toBeGreaterThan(3);
  });

  it('refuses to write broadcast state for a keyed record', async () => {
    class Wrong extends LimitCheck {
      #mine!: BroadcastState<string, number>;
      override open(context: KeyedBroadcastContext<string>): void {
        super.open(context);
        this.#mine = context.broadcastState(broadcastState('mine', utf8, float64));
      }
      override process({ id, t }: Reading): void {
        this.#mine.put(id, t);
      }
    }
    const driver = await JobTestDriver.start(job(() => new Wrong()), options);
    driver.pipe(READINGS, 'a', { id: 'a', t: 1 });
    await expect(driver.checkpoint()).rejects.toThrow(/BROADCAST_STATE_READ_ONLY/);
  });

  it('refuses a stream that is broadcast and read otherwise, too', () => {
    const wrong: JobDefinition = {
      define: (streams) => {
        const limits = streams.source('limits', LIMITS);
        limits.sink('out', out<Limit>());
        streams
          .source('readings', READINGS)
          .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
          .connect(limits.broadcast())
          .process('limit-check', () => new LimitCheck());
      },
    };
    expect(() => JobTestDriver.startWithoutWaiting(wrong, options)).toThrow(/"out" reads a stream that is broadcast/);
  });
});

describe('processing-time timers', () => {
  /** Puts out how many readings a sensor sent, once it was silent for a second. */
  class Silence extends KeyedProcess<string, Reading, string> {
    #context!: KeyedContext<string>;
    #count!: ValueState<number>;
    #due!: ValueState<number>;

    override open(context: KeyedContext<string>): void {
      this.#context = context;
      this.#count = context.state(valueState('count', float64));
      this.#due = context.state(valueState('due', float64));
    }

    override process(): void {
      const { timerService } = this.#context;
      const before = this.#due.value();
      if (before !== undefined) timerService.deleteProcessingTimeTimer(before);
      const due = timerService.currentProcessingTime() + 1_000;
      timerService.registerProcessingTimeTimer(due);
      timerService.registerProcessingTimeTimer(due);
      this.#due.update(due);
      this.#count.update((this.#count.value() ?? 0) + 1);
    }

    override onTimer(at: number, out: Collector<string>): void {
      out.collect(`${this.#context.currentKey()} ${this.#count.value()} ${at === this.#due.value()}`);
      this.#count.clear();
      this.#due.clear();
    }
  }
  const job: JobDefinition = {
    define: (streams) =>
      streams
        .source('readings', READINGS)
        .keyBy(utf8, ({ id }) => id, { alreadyPartitioned: { partitioner: 'auto' } })
        .process('silence', () => new Silence())
        .sink('out', out<string>()),
  };
  const options = { topics: { readings: 4, out: 1 }, outputs: ['out'], settings };
  const ids = ['a', 'b', 'c', 'd', 'e'];

  it('fire once per key and time, with the state of their key, and not once they were taken back', async () => {
    const driver = await JobTestDriver.start(job, options);
    for (let round = 0; round < 3; round++) {
      for (const id of ids) driver.pipe(READINGS, id, { id, t: 1 });
      await driver.advance(400);
    }
    expect(driver.read(OUT)).toEqual([]);
    await driver.advance(2_000);
    expect(driver.read(OUT).map(({ key, value }) => [key, value]).sort()).toEqual(ids.map((id) => [id, `${id} 3 true`]));
    await driver.advance(5_000);
    expect(driver.read(OUT)).toEqual([]);
  });

  it('come back after a crash, with and without local files, and those that fell due meanwhile fire then', async () => {
    const driver = await JobTestDriver.start(job, options);
    for (const wipe of [false, true]) {
      for (const id of ids) driver.pipe(READINGS, id, { id, t: 1 });
      await driver.checkpoint();
      await driver.crash();
      if (wipe) driver.disk.wipe();
      await driver.advance(5_000);
      await driver.recover();
      await driver.advance(500);
      expect(driver.read(OUT).map(({ value }) => value).sort()).toEqual(ids.map((id) => `${id} 1 true`));
    }
  });

  it('fire exactly once under kills', async () => {
    const driver = await JobTestDriver.start(job, { ...options, network: LIFELIKE, seed: 3 });
    const kills = driver.cluster.faults.randomly({ points: ['append:applied', 'commit:send', 'commit:applied', 'commit:replied'], probability: 0.05, action: () => ({ type: 'kill' }) });
    let piped = 0;
    for (let round = 0; round < 15; round++) {
      const id = `k${round}`;
      for (let i = 0; i < 4; i++, piped++) driver.pipe(READINGS, id, { id, t: i });
      for (let turn = 0; turn < 30; turn++) {
        await driver.advance(100);
        if (driver.isAlive) continue;
        await driver.crash();
        await driver.recover().catch(() => undefined);
      }
    }
    kills.remove();
    await driver.crash();
    await driver.recover();
    await driver.advance(5_000);
    const counted = driver.readAll(OUT).map(({ value }) => Number(String(value).split(' ')[1]));
    expect(counted.reduce((sum, count) => sum + count, 0)).toBe(piped);
    expect(kills.hits).toBeGreaterThan(5);
  });
});
