import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { KafkaContext, KafkaParser, Transport } from '@nestjs/microservices';
import { clockOf, PARTITIONERS, sleep, topic, utf8 } from '@weir/core';
import { StreamRunner, StreamTransport } from '@weir/nest';
import type { InMemoryCluster } from '@weir/testing';
import { of } from 'rxjs';
import type { Observable } from 'rxjs';
import { HandlerRig } from '../handler-rig.spec-d.js';
import { TemperatureController } from './after.spec-d.js';
import { TemperatureConsumer } from './before.spec-d.js';
import { FrostController, SortingController, topics } from './beside.spec-d.js';
import { AppModule, bootstrap, cluster } from './main.spec-d.js';
import { sensorReadingCsv } from './reading.spec-d.js';

const PAGE = readFileSync(new URL('../../../../../docs/nest/migrating-from-kafka-transport.md', import.meta.url), 'utf8');
const EXAMPLES = ['reading', 'before', 'after', 'main', 'beside'];
const READINGS = topic('sensor-readings', { key: utf8, value: sensorReadingCsv });

/** Regions of the examples, by name. */
function regions(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of EXAMPLES) {
    const source = readFileSync(new URL(`./${file}.spec-d.ts`, import.meta.url), 'utf8');
    for (const [, name, text] of source.matchAll(/\/\/ #region (\w+)\n([\s\S]*?)\/\/ #endregion/g)) found.set(name!, text!.trim());
  }
  return found;
}

describe('the page on the way from the Kafka transport', () => {
  it('has every example word for word, and no TypeScript beside them', () => {
    const examples = [...regions().values()];
    const blocks = [...PAGE.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text!.trim());
    expect(blocks.sort()).toEqual(examples.sort());
    expect(examples).toHaveLength(6);
  });

  it('names options, errors and settings that exist', () => {
    const sources = ['../../errors.ts', '../../options.ts', '../../../../core/src/errors/errors.ts', '../../../../core/src/job/settings.ts'].map((path) =>
      readFileSync(new URL(path, import.meta.url), 'utf8'),
    );
    const codes = [...PAGE.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code!).filter((code) => code !== 'STREAM_TRANSPORT');
    expect(codes.length).toBeGreaterThan(4);
    for (const code of codes) expect([code, sources.some((text) => text.includes(`'${code}'`))]).toEqual([code, true]);
  });
});

const LINES = ['sensor_1,1547718199,35.8', 'sensor_1,1547718201,47.1', 'sensor_1,1547718205,47.3', 'sensor_6,1547718201,15.4'];
const ALERT = { id: 'sensor_1', timestamp: 1547718201, temperature: 47.1, lastTemperature: 35.8 };

describe('its examples', () => {
  beforeAll(() => {
    Logger.overrideLogger(false);
  });

  it('before and after: the same alert of the same readings', async () => {
    const emitted: unknown[] = [];
    const consumer = new TemperatureConsumer({ emit: <R>(...given: unknown[]): Observable<R> => (emitted.push(given), of(undefined as R)) });
    const rig = await HandlerRig.start({ controllers: [TemperatureController], topics: { 'sensor-readings': 4 } });
    for (const line of LINES) {
      const key = line.split(',')[0]!;
      await consumer.onReading(line, new KafkaContext([{ key } as never, 0, 'sensor-readings', undefined as never, undefined as never, undefined as never]));
      produce(rig.cluster, line);
    }
    expect(emitted).toEqual([['temperature-alerts', { key: 'sensor_1', value: ALERT }]]);
    await rig.checkpoint([READINGS]);
    const read = [0, 1, 2, 3].flatMap((partition) => rig.cluster.committedRecords('temperature-alerts', partition));
    expect(read.map(({ key, value }) => [String(key), JSON.parse(String(value)) as unknown])).toEqual([['sensor_1', ALERT]]);
    await rig.close();
  });

  it('main: a service with routes and handlers, on the real clock', async () => {
    process.env['PORT'] = '0';
    cluster.createTopic('sensor-readings', 4);
    cluster.createTopic('temperature-alerts', 1);
    for (const line of LINES) produce(cluster, line);
    const app = await bootstrap();
    const alerts = (): number => cluster.committedRecords('temperature-alerts', 0).length;
    for (let tries = 0; alerts() === 0 && tries < 4_000; tries++) await sleep(clockOf(globalThis), 5);
    expect(app.get(StreamRunner).overviews().map(({ name, status, reason }) => [name, status, reason])).toEqual([['handlers', 'RUNNING', undefined]]);
    expect(await (await fetch(`${await app.getUrl()}/health/ready`)).json()).toMatchObject({ status: 'ready' });
    await app.close();
    expect(alerts()).toBe(1);
    delete process.env['PORT'];
  });

  it('main, as a microservice alone: by the factory of Nest that takes the strategy from the container', async () => {
    const before = cluster.committedRecords('temperature-alerts', 0).length;
    produce(cluster, 'sensor_1,1547718209,5');
    const app = await NestFactory.createMicroservice(AppModule, {
      inject: [StreamTransport],
      useFactory: (strategy: StreamTransport) => ({ strategy }),
    });
    await app.listen();
    for (let tries = 0; cluster.committedRecords('temperature-alerts', 0).length === before && tries < 4_000; tries++) await sleep(clockOf(globalThis), 5);
    await app.close();
    expect(cluster.committedRecords('temperature-alerts', 0)).toHaveLength(before + 1);
  });

  it('beside: each transport has its own handler', async () => {
    const offered: unknown[] = [];
    const kafka = { transportId: Transport.KAFKA, addHandler: (pattern: unknown) => offered.push(pattern), listen: (done: () => void) => done(), close: () => undefined };
    const mailer = { provide: 'MAILER', useValue: { send: () => Promise.resolve() } };
    const prepare = (app: INestApplication): void => {
      app.connectMicroservice({ strategy: app.get(StreamTransport) });
      app.connectMicroservice({ strategy: kafka });
    };
    const rig = await HandlerRig.start({ controllers: [FrostController], providers: [mailer as never], topics: { 'sensor-readings': 1 }, prepare });
    expect(offered).toEqual(['frosts']);
    rig.pipe(READINGS, 'a', { id: 'a', timestamp: 1, temperature: -3 });
    rig.pipe(READINGS, 'a', { id: 'a', timestamp: 2, temperature: 3 });
    await rig.checkpoint([READINGS]);
    expect(rig.read(topics.frosts).map(({ value }) => value?.temperature)).toEqual([-3]);
    await rig.close();
  });

  it('bad: what cannot be decoded goes to a topic of its own, byte for byte', async () => {
    const rig = await HandlerRig.start({ controllers: [SortingController], topics: { 'sensor-readings': 1 } });
    const wrong = Buffer.from('fffe8001', 'hex');
    for (const value of [Buffer.from(LINES[0]!), wrong]) {
      rig.cluster.produce('sensor-readings', 0, [{ key: wrong, value, timestamp: 1, headers: [] }]);
    }
    await rig.checkpoint([READINGS]);
    expect(rig.read(topics.badReadings).map(({ key, value }) => [key, value])).toEqual([[wrong, wrong]]);
    expect(rig.read(topics.goodReadings).map(({ key, value }) => [key, value?.id])).toEqual([[wrong, 'sensor_1']]);
    await rig.close();
  });
});

describe('what the page says of the Kafka transport', () => {
  const parse = (value: Buffer): unknown => new KafkaParser().parse<{ readonly value: unknown }>({ value, headers: {} }).value;
  const keyOf = (key: Buffer): unknown => new KafkaParser({ keepBinary: true }).parse<{ readonly key: unknown }>({ key, value: null, headers: {} }).key;

  it.each<[string, Buffer, unknown]>([
    ['bytes that are not UTF-8 become others', Buffer.from('fffe8001', 'hex'), '\ufffd\ufffd\ufffd\u0001'],
    ['JSON text is parsed by its first character', Buffer.from('[1]'), [1]],
    ['a number stays text', Buffer.from('1'), '1'],
    ['bytes with a leading zero stay bytes', Buffer.from('00ff', 'hex'), Buffer.from('00ff', 'hex')],
  ])('%s', (_, given, expected) => {
    expect(parse(given)).toEqual(expected);
    expect(keyOf(given)).toEqual(expected); // keepBinary spares the value alone
  });
});

/** To the partition where murmur2 puts the sensor's id. */
function produce(to: InMemoryCluster, line: string): void {
  const key = Buffer.from(line.split(',')[0]!);
  const partition = PARTITIONERS.murmur2(key, 0, key.length, 4);
  to.produce('sensor-readings', partition, [{ key, value: Buffer.from(line), timestamp: 1, headers: [] }]);
}
