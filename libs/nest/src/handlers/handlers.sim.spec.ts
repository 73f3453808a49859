import 'reflect-metadata';
import { describe, expect, it } from '@jest/globals';
import { Controller, Injectable } from '@nestjs/common';
import type { Type } from '@nestjs/common';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { bytes, codec, float64, json, topic, utf8, valueState } from '@weir/core';
import { LIFELIKE, SeededRandom } from '@weir/testing';
import { HandlerRig } from './handler-rig.spec-d.js';
import { StreamContext } from './stream-context.js';
import { STREAM_TRANSPORT, StreamHandler } from './stream-handler.decorator.js';

interface Reading {
  readonly n: number;
  readonly t: number;
}
interface Alert extends Reading {
  readonly from: number;
}

const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
const ALERTS = topic('alerts', { key: utf8, value: json<Alert>() });
const SEEN = topic('seen', { key: utf8, value: json<string>() });
const LAST = valueState('last', float64);
const COUNT = valueState('count', float64);
const form = { key: utf8, value: json<Reading>() };

@Injectable()
class Threshold {
  readonly degrees = 10;
}

@Controller()
class AlertController {
  constructor(private readonly threshold: Threshold) {}

  @EventPattern<string>('readings')
  @StreamHandler({ ...form, state: [LAST], to: ALERTS })
  onReading(@Payload() reading: Reading, @Ctx() context: StreamContext<string>): Alert | undefined {
    const last = context.state(LAST);
    const from = last.value();
    last.update(reading.t);
    return from !== undefined && Math.abs(reading.t - from) >= this.threshold.degrees ? { ...reading, from } : undefined;
  }
}

const alertsOnly = { controllers: [AlertController], providers: [Threshold], topics: { readings: 4, alerts: 4 } };

describe('a handler with state', () => {
  it('sees each record with the state of its key, and what it returns goes to its topic with key, time and headers', async () => {
    const rig = await HandlerRig.start(alertsOnly);
    const headers = [{ key: 'trace', value: Buffer.from('x') }];
    for (const [n, t] of [20, 31, 32, 5].entries()) rig.pipe(READINGS, 's1', { n, t }, headers);
    rig.pipe(READINGS, 's2', { n: 9, t: 90 });
    const at = rig.clock.wall();
    await rig.checkpoint([READINGS]);
    expect(rig.read(ALERTS)).toEqual([
      { key: 's1', value: { n: 1, t: 31, from: 20 }, timestamp: at, headers },
      { key: 's1', value: { n: 3, t: 5, from: 32 }, timestamp: at, headers },
    ]);
    await rig.close();
  });

  it('runs in one job, as an operator named by class and method', async () => {
    const rig = await HandlerRig.start(alertsOnly);
    expect(rig.overviews().map(({ name, applicationId, parallelism }) => [name, applicationId, parallelism])).toEqual([['handlers', 'service', 4]]);
    rig.pipe(READINGS, 's1', { n: 0, t: 1 });
    await rig.checkpoint([READINGS]);
    const stored = [0, 1, 2, 3].flatMap((task) => rig.cluster.committedRecords('service-0-0-changelog', task).map(({ value }) => String(value)));
    expect(stored.join()).toContain('"AlertController.onReading":{');
    await rig.close();
  });

  it('is exactly-once over random kills, late networks and small chunks', async () => {
    let kills = 0;
    for (const seed of [1, 2, 3]) kills += await runWithKills(seed);
    expect(kills).toBeGreaterThan(10);
  });

  it('finds its state after an orderly stop', async () => {
    const rig = await HandlerRig.start(alertsOnly);
    rig.pipe(READINGS, 's1', { n: 0, t: 1 });
    await rig.checkpoint([READINGS]);
    await rig.close();
    await rig.start();
    rig.pipe(READINGS, 's1', { n: 1, t: 50 });
    await rig.checkpoint([READINGS]);
    expect(rig.read(ALERTS).map(({ value }) => value)).toEqual([{ n: 1, t: 50, from: 1 }]);
    await rig.close();
  });
});

/** Pipes readings while planned kills strike amid commits, and compares the alerts of each sensor with a model. @returns kills amid a commit */
async function runWithKills(seed: number): Promise<number> {
  const rig = await HandlerRig.start({ ...alertsOnly, seed, network: LIFELIKE });
  const random = new SeededRandom(seed).fork(7);
  const model = new Map<string, { last: number; alerts: Alert[] }>();
  let n = 0;
  let kills = 0;
  for (let round = 0; round < 12; round++) {
    const point = (['append:send', 'addOffsets:send', 'commit:send', 'commit:applied', 'fetch:replied'] as const)[random.between(0, 4)]!;
    const fault = rig.cluster.faults.at(point, { type: 'kill' }, { skip: random.between(0, 4) });
    for (let i = 0; i < 60; i++) {
      const key = `s${random.between(1, 15)}`;
      const reading = { n: n++, t: random.between(0, 30) };
      const known = model.get(key);
      if (known !== undefined && Math.abs(reading.t - known.last) >= 10) known.alerts.push({ ...reading, from: known.last });
      model.set(key, { last: reading.t, alerts: known?.alerts ?? [] });
      rig.pipe(READINGS, key, reading);
    }
    await rig.clock.advance(random.between(0, 400));
    fault.remove();
    kills += fault.hits;
    await rig.crashAndRecover();
  }
  expect(await rig.checkpoint([READINGS])).toBe(true);
  const seen = new Map<string, (Alert | null)[]>();
  for (const { key, value } of rig.read(ALERTS)) seen.set(key!, [...(seen.get(key!) ?? []), value]);
  const expected = [...model].filter(([, { alerts }]) => alerts.length > 0).map(([key, { alerts }]) => [key, alerts]);
  expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected));
  expect(rig.cluster.openTransactions()).toEqual([]);
  await rig.close();
  return kills;
}

describe('what a handler is called with', () => {
  it('is the record of the call, with its key, place, time and headers', async () => {
    const records: unknown[] = [];
    @Controller()
    class Recorder {
      @EventPattern<string>('readings', STREAM_TRANSPORT)
      @StreamHandler({ ...form, to: SEEN })
      without(@Ctx() context: StreamContext<string>, @Payload('n') n: number | undefined): string {
        const { topic: from, partition, offset, timestamp, key } = context;
        records.push([from, partition, offset, timestamp, key, n, context.headers.length, context.header('id')?.toString()]);
        return `without ${n}`;
      }

      @EventPattern<string>('readings', STREAM_TRANSPORT)
      @StreamHandler({ ...form, state: [COUNT], to: SEEN })
      with(@Payload() { n }: Reading, @Ctx() context: StreamContext<string>): string {
        const { topic: from, partition, offset, timestamp, key } = context;
        records.push([from, partition, offset, timestamp, key, n, context.headers.length, context.header('id')?.toString()]);
        return `with ${n}`;
      }
    }
    const rig = await HandlerRig.start({ controllers: [Recorder], topics: { readings: 4, seen: 1 }, network: { chunkRows: [1, 5] } });
    const expected: unknown[] = [];
    const next = [0, 0, 0, 0];
    for (let n = 0; n < 200; n++) {
      if (n % 25 === 0) await rig.clock.advance(1); // bursts, so that chunks hold several records
      const headers = n % 3 === 0 ? [] : [{ key: 'id', value: Buffer.from('first') }, { key: 'id', value: Buffer.from(`h${n}`) }];
      const key = `key ${n % 37}`;
      const before = next.map((_, partition) => rig.cluster.endPosition('readings', partition).highWatermark as number);
      rig.pipe(READINGS, key, { n, t: 0 }, headers);
      const partition = before.findIndex((end, i) => end !== (rig.cluster.endPosition('readings', i).highWatermark as number));
      const record = ['readings', partition, before[partition], rig.clock.wall(), key, n, headers.length, headers.length === 0 ? undefined : `h${n}`];
      expected.push(record, record);
    }
    await rig.checkpoint([READINGS]);
    const byNumber = (a: unknown, b: unknown): number => (a as number[])[5]! - (b as number[])[5]!;
    expect(records.sort(byNumber)).toEqual(expected);
    await rig.close();
  });

  it('is null for a tombstone, and the key alone tells which', async () => {
    const values = topic('values', { key: bytes, value: json<number>() });
    const seen: unknown[] = [];
    @Controller()
    class Tombstones {
      @EventPattern<string>('values')
      @StreamHandler({ key: bytes, value: json<number>(), state: [COUNT] })
      on(@Payload() value: number | null, @Ctx() context: StreamContext<Uint8Array>): void {
        seen.push([Buffer.from(context.key).toString('hex'), value]);
        context.state(COUNT).update((context.state(COUNT).value() ?? 0) + 1);
      }
    }
    const rig = await HandlerRig.start({ controllers: [Tombstones], topics: { values: 1 } });
    for (const [hex, value] of [['fffe8001', 1], ['fffe8001', null], ['', 2], ['00000000', null]] as const) rig.pipe(values, Buffer.from(hex, 'hex'), value);
    await rig.checkpoint([values]);
    expect(seen).toEqual([['fffe8001', 1], ['fffe8001', null], ['', 2], ['00000000', null]]);
    await rig.close();
  });

  it('may lack a key where the handler keeps no state', async () => {
    @Controller()
    class Keyless {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, to: SEEN })
      on(reading: Reading): string[] {
        return [`a${reading.n}`, `b${reading.n}`];
      }
    }
    const rig = await HandlerRig.start({ controllers: [Keyless], topics: { readings: 2, seen: 1 } });
    rig.pipe(READINGS, null, { n: 1, t: 1 });
    rig.pipe(READINGS, 'k', { n: 2, t: 1 });
    await rig.checkpoint([READINGS]);
    const seen = rig.read(SEEN).map(({ key, value }) => `${key} ${value}`);
    expect(seen.sort()).toEqual(['k a2', 'k b2', 'null a1', 'null b1']);
    await rig.close();
  });

  it('is gone once the call has returned', async () => {
    let kept: StreamContext<string> | undefined;
    @Controller()
    class Keeper {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, to: SEEN })
      on(@Ctx() context: StreamContext<string>): string {
        kept = context;
        return context.key;
      }
    }
    const rig = await HandlerRig.start({ controllers: [Keeper], topics: { readings: 1, seen: 1 } });
    rig.pipe(READINGS, 'k', { n: 1, t: 1 });
    await rig.checkpoint([READINGS]);
    expect(() => kept!.key).toThrow(/Keeper\.on was asked for its key when the call had returned.*NEST_CONTEXT_OUTSIDE_CALL/);
    await rig.close();
  });
});

describe('another version of the service', () => {
  const others = topic('others', { key: utf8, value: json<number>() });
  @Controller()
  class Others {
    @EventPattern<string>('others')
    @StreamHandler({ key: utf8, value: json<number>(), to: SEEN })
    on(value: number): string {
      return `${value}`;
    }
  }
  @Controller()
  class Renamed extends AlertController {}

  const deploy = async (...controllers: readonly Type<object>[]): Promise<HandlerRig> => {
    const rig = await HandlerRig.start({ ...alertsOnly, topics: { readings: 4, others: 4, seen: 1, alerts: 4 } });
    rig.pipe(READINGS, 's1', { n: 0, t: 1 });
    await rig.checkpoint([READINGS]);
    await rig.close();
    rig.deploy(...controllers);
    return rig;
  };

  it('may have a handler of another topic behind the others', async () => {
    const rig = await deploy(AlertController, Others);
    await rig.start();
    rig.pipe(others, 'k', 7);
    rig.pipe(READINGS, 's1', { n: 1, t: 50 });
    await rig.checkpoint([READINGS, others]);
    expect([rig.read(SEEN).length, rig.read(ALERTS).map(({ value }) => value?.from)]).toEqual([1, [1]]);
    await rig.close();
  });

  it.each<[string, readonly Type<object>[], RegExp]>([
    ['has it before them', [Others, AlertController], /operator "AlertController\.onReading" has state, and the job no longer has it.*STATE_INCOMPATIBLE/],
    ['renames a class', [Renamed], /operator "AlertController\.onReading" has state, and the job no longer has it.*STATE_INCOMPATIBLE/],
  ])('is refused its start when it %s, instead of losing state', async (_, controllers, message) => {
    const rig = await deploy(...controllers);
    await rig.startWithoutWaiting();
    expect(await rig.failure()).toMatch(message);
    await rig.close();
  });
});

describe('handlers of several topics', () => {
  it('run in parts of their own, within one job', async () => {
    const others = topic('others', { key: utf8, value: json<number>() });
    @Controller()
    class Others {
      @EventPattern<string>('others')
      @StreamHandler({ key: utf8, value: json<number>(), state: [COUNT], to: SEEN, name: 'counts' })
      on(@Ctx() context: StreamContext<string>): string {
        const count = (context.state(COUNT).value() ?? 0) + 1;
        context.state(COUNT).update(count);
        return `${context.key}: ${count}`;
      }
    }
    const rig = await HandlerRig.start({ ...alertsOnly, controllers: [AlertController, Others], topics: { ...alertsOnly.topics, others: 2, seen: 1 } });
    expect(rig.overviews().map(({ parallelism }) => parallelism)).toEqual([6]);
    for (const [n, t] of [20, 31].entries()) rig.pipe(READINGS, 's1', { n, t });
    for (let i = 0; i < 3; i++) rig.pipe(others, 'o', i);
    await rig.checkpoint([READINGS, others]);
    expect(rig.read(SEEN).map(({ value }) => value)).toEqual(['o: 1', 'o: 2', 'o: 3']);
    expect(rig.read(ALERTS)).toHaveLength(1);
    expect(rig.changelogs()).toHaveLength(2);
    await rig.close();
  });
});

describe('a handler that fails', () => {
  const failing = async (handler: (context: StreamContext<string>) => string, more: { readonly state?: readonly (typeof LAST)[] } = {}): Promise<string> => {
    @Controller()
    class Failing {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, ...more, to: SEEN })
      on(@Ctx() context: StreamContext<string>): string {
        return handler(context);
      }
    }
    const rig = await HandlerRig.start({ controllers: [Failing], topics: { readings: 1, seen: 1 } });
    rig.pipe(READINGS, 'k', { n: 0, t: 0 });
    const reason = await rig.failure();
    await rig.close();
    return reason;
  };
  const boom = (): never => {
    throw new Error('boom');
  };

  it.each([[{}], [{ state: [LAST] }]])('fails the job with its name and the record, with options %p', async (more) => {
    expect(await failing(boom, more)).toMatch(/failed on the record of readings partition 0 at offset 0: handler Failing\.on threw: boom.*FUNCTION_FAILED/);
  });

  it.each([[{}], [{ state: [LAST] }]])('has its records skipped by its own policy, after they were tried again, with options %p', async (more) => {
    let calls = 0;
    @Controller()
    class Picky {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, ...more, to: SEEN, onBadRecord: { policy: 'skip', retries: { attempts: 2, delay: 10 } } })
      on(@Payload() { n }: Reading): string {
        if (n === 1) calls++;
        return n === 1 ? boom() : String(n);
      }
    }
    const rig = await HandlerRig.start({ controllers: [Picky], topics: { readings: 1, seen: 1 } });
    for (const n of [0, 1, 2]) rig.pipe(READINGS, 'k', { n, t: 0 });
    await rig.checkpoint([READINGS]);
    expect(rig.read(SEEN).map(({ value }) => value)).toEqual(['0', '2']);
    expect(calls).toBe(3);
    await rig.close();
  });

  it('is refused a state that it did not list, with those that it did', async () => {
    const reason = await failing((context) => String(context.state(COUNT).value()), { state: [LAST] });
    expect(reason).toMatch(/Failing\.on asked its context for the state "count".*Listed: last\..*NEST_STATE_UNDECLARED/);
  });

  it.each<[string, unknown]>([
    ['a promise', Promise.resolve('x')],
    ['an Observable', { subscribe: () => undefined }],
  ])('is told when it returns %s', async (what, result) => {
    expect(await failing(() => result as string)).toMatch(new RegExp(`Failing\\.on returned ${what}, at the record.*synchronously.*NEST_HANDLER_RESULT`));
  });

  it('is told when it returns a value and names no topic for it', async () => {
    @Controller()
    class Silent {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, state: [LAST] })
      on(): void {
        return 5 as unknown as undefined;
      }
    }
    const rig = await HandlerRig.start({ controllers: [Silent], topics: { readings: 1 } });
    rig.pipe(READINGS, 'k', { n: 0, t: 0 });
    expect(await rig.failure()).toMatch(/Silent\.on returned a value, and it names no topic for it.*Name one by `to`/);
    await rig.close();
  });
});

describe('a record whose key does not do', () => {
  it('is named, with the handlers that need one', async () => {
    const rig = await HandlerRig.start(alertsOnly);
    rig.pipe(READINGS, null, { n: 0, t: 0 });
    expect(await rig.failure()).toMatch(/AlertController\.onReading keep state.*readings partition 0 at offset 0 has none.*NEST_KEY_MISSING/);
    await rig.close();
  });

  it('is named with its bytes when the codec cannot read it', async () => {
    const raw = topic('readings', { key: codec<Buffer>({ id: 'raw', encode: (value) => value, decode: (given) => given }), value: json<Reading>() });
    const rig = await HandlerRig.start(alertsOnly);
    rig.pipe(raw, Buffer.from('fffe8001', 'hex'), { n: 0, t: 0 });
    expect(await rig.failure()).toMatch(/Cannot decode the key.*readings partition \d at offset 0 as utf8.*fffe8001.*NEST_KEY_UNDECODABLE/);
    await rig.close();
  });

  it('is told with the partitioner that would fit when it lies elsewhere', async () => {
    @Controller()
    class Murmur {
      @EventPattern<string>('readings')
      @StreamHandler({ ...form, state: [LAST], partitioner: 'murmur2' })
      on(): void {
        // Its keys are what this is about.
      }
    }
    const rig = await HandlerRig.start({ controllers: [Murmur], topics: { readings: 4 } });
    for (let n = 0; n < 8; n++) rig.pipe({ ...READINGS, partitioner: 'crc32' }, `s${n}`, { n, t: 0 });
    expect(await rig.failure()).toMatch(/alreadyPartitioned \(murmur2\).*crc32 would put it.*KEY_ELSEWHERE/);
    await rig.close();
  });
});
