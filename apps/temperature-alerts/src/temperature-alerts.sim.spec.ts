import { describe, expect, it } from '@jest/globals';
import { json, topic, utf8 } from '@weir/core';
import { JobTestDriver, LIFELIKE, SeededRandom } from '@weir/testing';
import { sensorReadingCsv } from './sensor-reading.js';
import { AlertSettings } from './service-settings.js';
import type { TemperatureAlert } from './temperature-change-alert.js';
import { TemperatureAlertsJob } from './temperature-alerts.job.js';

const readings = topic('in', { key: utf8, value: sensorReadingCsv });
const alerts = topic('out', { key: utf8, value: json<TemperatureAlert>() });
const start = (partitioner: 'auto' | 'murmur2' | 'crc32' = 'auto') =>
  JobTestDriver.start(new TemperatureAlertsJob(new AlertSettings('in', 'out', partitioner, 10)), { topics: { in: 4, out: 4 }, outputs: ['out'] });
const pipe = (driver: JobTestDriver, id: string, timestamp: number, temperature: number) => driver.pipe(readings, id, { id, timestamp, temperature });

describe('the temperature alert', () => {
  it('compares with the last reading of the same sensor, alerts at ten degrees or more, and never on the first', async () => {
    const driver = await start();
    pipe(driver, 'sensor_1', 1, 35.8);
    pipe(driver, 'sensor_2', 1, 5);
    pipe(driver, 'sensor_1', 2, 45.79);
    pipe(driver, 'sensor_1', 3, 35.79);
    pipe(driver, 'sensor_2', 2, 14.9);
    pipe(driver, 'sensor_1', 4, 47.1);
    await driver.checkpoint();
    const seen = driver.read(alerts);
    expect(seen.map(({ key, value }) => [key, value])).toEqual([
      ['sensor_1', { id: 'sensor_1', lastTemperature: 45.79, temperature: 35.79, timestamp: 3 }],
      ['sensor_1', { id: 'sensor_1', lastTemperature: 35.79, temperature: 47.1, timestamp: 4 }],
    ]);
  });

  it('writes the alert as the service promises', async () => {
    const driver = await start();
    pipe(driver, 'sensor_1', 1547718199, 35.8);
    pipe(driver, 'sensor_1', 1547718199, 47.1);
    await driver.checkpoint();
    const bytes = [0, 1, 2, 3].flatMap((partition) => driver.cluster.committedRecords('out', partition)).map(({ value }) => value!.toString());
    expect(bytes).toEqual(['{"id":"sensor_1","lastTemperature":35.8,"temperature":47.1,"timestamp":1547718199}']);
  });

  it('remembers over a crash, with and without local files', async () => {
    const driver = await start();
    pipe(driver, 's', 1, 0);
    await driver.checkpoint();
    await driver.crash();
    await driver.recover();
    pipe(driver, 's', 2, 10);
    await driver.checkpoint();
    await driver.crash();
    driver.disk.wipe();
    await driver.recover();
    pipe(driver, 's', 3, 20);
    await driver.checkpoint();
    expect(driver.readAll(alerts).map(({ value }) => value!.timestamp)).toEqual([2, 3]);
  });

  it('fails on a reading that cannot be parsed, naming partition, offset and bytes, and keeps what was committed', async () => {
    const driver = await start();
    pipe(driver, 's', 1, 0);
    await driver.checkpoint();
    driver.cluster.produce('in', 2, [{ key: 's9', value: 's9;1;20' }]);
    await expect(driver.checkpoint()).rejects.toThrow(/in partition 2 at offset \d+ as sensor-reading-csv: .*1 of 3 fields.*"s9;1;20"/);
    expect(driver.overview()).toMatchObject({ status: 'FAILED', reason: expect.stringContaining('RECORD_UNDECODABLE') });
  });

  it('says that it waits for a missing input topic, and goes on by itself once it is there', async () => {
    const job = new TemperatureAlertsJob(new AlertSettings('in', 'out', 'auto', 10));
    const driver = JobTestDriver.startWithoutWaiting(job, { topics: {} });
    await driver.advance(5_000);
    expect(driver.overview()).toMatchObject({ status: 'INITIALIZING', reason: expect.stringContaining('input topic "in"') });
    driver.cluster.createTopic('in', 2);
    await driver.until(() => driver.job.isReady());
    expect(driver.cluster.describeTopic('out')!.partitions).toBe(2);
  });

  it.each(['murmur2', 'crc32'] as const)('finds out by itself that keys were put by %s, and keeps to it', async (partitioner) => {
    const driver = await start();
    const by = topic('in', { key: utf8, value: sensorReadingCsv, partitioner });
    for (let i = 0; i < 20; i++) driver.pipe(by, `s${i}`, { id: `s${i}`, timestamp: 1, temperature: 0 });
    await driver.checkpoint();
    await driver.crash();
    await driver.recover();
    const other = topic('in', { key: utf8, value: sensorReadingCsv, partitioner: partitioner === 'murmur2' ? 'crc32' : 'murmur2' });
    for (let i = 100; i < 120; i++) driver.pipe(other, `s${i}`, { id: `s${i}`, timestamp: 1, temperature: 0 });
    await expect(driver.checkpoint()).rejects.toThrow(new RegExp(`auto, by earlier keys ${partitioner}.*KEY_ELSEWHERE`));
  });

  it('equals its model for a busy fleet on a slow network', async () => {
    const driver = await JobTestDriver.start(new TemperatureAlertsJob(new AlertSettings('in', 'out', 'auto', 10)), {
      topics: { in: 4, out: 4 },
      outputs: ['out'],
      network: LIFELIKE,
    });
    const random = new SeededRandom(7);
    const last = new Map<string, number>();
    const expected: string[] = [];
    for (let i = 0; i < 2_000; i++) {
      const id = `s${random.between(1, 50)}`;
      const temperature = random.between(0, 300) / 10;
      const before = last.get(id);
      if (before !== undefined && Math.abs(temperature - before) >= 10) expected.push(`${id} ${i}`);
      last.set(id, temperature);
      pipe(driver, id, i, temperature);
    }
    await driver.checkpoint();
    expect(driver.readAll(alerts).map(({ value }) => `${value!.id} ${value!.timestamp}`).sort()).toEqual(expected.sort());
  });
});
