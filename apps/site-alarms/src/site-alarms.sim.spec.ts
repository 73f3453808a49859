import { beforeEach, describe, expect, it } from '@jest/globals';
import { json, topic, utf8 } from '@weir/core';
import { JobTestDriver, LIFELIKE, ProcessKilled, SeededRandom } from '@weir/testing';
import type { LimitAlarm } from './limit-check.js';
import { type SensorLimit, sensorLimitJson } from './sensor-limit.js';
import { sensorReadingLine } from './sensor-reading.js';
import { SiteAlarmSettings } from './service-settings.js';
import { SiteAlarmsJob, type SiteCount } from './site-alarms.job.js';

const readings = topic('readings', { key: utf8, value: sensorReadingLine });
const limits = topic('limits', { key: utf8, value: sensorLimitJson });
const alarms = topic('alarms', { key: utf8, value: json<LimitAlarm>() });
const counts = topic('counts', { key: utf8, value: json<SiteCount>() });

const job = () => new SiteAlarmsJob(new SiteAlarmSettings('readings', 'limits', 'alarms', 'counts', 'auto'));
const options = {
  topics: { readings: 4, limits: 2, alarms: 2, counts: 2 },
  outputs: ['alarms', 'counts', 'limits'],
  settings: { checkpointing: { interval: 100 } },
};

let driver: JobTestDriver;
let time: number;

beforeEach(async () => {
  driver = await JobTestDriver.start(job(), options);
  time = 0;
});

/** The limit is read by the checkpoint after it was written; only then do readings flow that it is for. */
async function limit(id: string, value: SensorLimit | null): Promise<void> {
  driver.pipe(limits, id, value);
  await driver.advance(500);
}

/** @returns the alarms that came of it, as `temperature/inARow` */
async function read(id: string, ...temperatures: readonly number[]): Promise<string[]> {
  for (const temperature of temperatures) driver.pipe(readings, id, { id, timestamp: ++time, temperature });
  await driver.checkpoint();
  return driver.read(alarms).map(({ value }) => `${value!.temperature}/${value!.inARow}`);
}

describe('the alarm', () => {
  it('comes with each reading outside of the limit, names the limit, and says how many came in a row', async () => {
    await limit('s', { site: 'harbour', lower: 0, upper: 30 });
    expect(await read('s', 30, 30.5, 31, 0, -0.1)).toEqual(['30.5/1', '31/2', '-0.1/1']);
    const written = [0, 1].flatMap((partition) => driver.cluster.committedRecords('alarms', partition)).map(({ key, value }) => [String(key), String(value)]);
    expect(written[0]).toEqual(['s', '{"id":"s","site":"harbour","temperature":30.5,"lower":0,"upper":30,"inARow":1,"timestamp":2}']);
  });

  it('never comes of a sensor without a limit, whatever limits others have', async () => {
    await limit('other', { site: 'harbour', lower: 0, upper: 1 });
    expect(await read('s', -100, 100)).toEqual([]);
  });

  it('follows the newest limit', async () => {
    await limit('s', { site: 'harbour', lower: 0, upper: 30 });
    expect(await read('s', 40)).toEqual(['40/1']);
    await limit('s', { site: 'harbour', lower: 0, upper: 50 });
    expect(await read('s', 40, 51)).toEqual(['51/1']);
    driver.pipe(limits, 's', { site: 'harbour', lower: 0, upper: 60 });
    await limit('s', { site: 'harbour', lower: 0, upper: 20 });
    expect(await read('s', 40)).toEqual(['40/2']);
  });

  it('ends with a tombstone, and begins anew with the next limit', async () => {
    await limit('s', { site: 'harbour', lower: 0, upper: 30 });
    expect(await read('s', 40, 40)).toEqual(['40/1', '40/2']);
    await limit('s', null);
    expect(await read('s', 40, -40)).toEqual([]);
    await limit('s', { site: 'harbour', lower: 0, upper: 30 });
    expect(await read('s', 40)).toEqual(['40/1']);
  });

  it('remembers limits and rows over a crash, with and without local files', async () => {
    await limit('s', { site: 'harbour', lower: 0, upper: 30 });
    await limit('gone', { site: 'harbour', lower: 0, upper: 30 });
    await limit('gone', null);
    expect(await read('s', 40)).toEqual(['40/1']);
    for (const wipe of [false, true]) {
      await driver.crash();
      if (wipe) driver.disk.wipe();
      await driver.recover();
      expect(await read('gone', 40)).toEqual([]);
      expect(await read('s', 40)).toEqual([wipe ? '40/3' : '40/2']);
    }
  });
});

describe('the count of a site', () => {
  it('goes over all its sensors, and names the alarm that was counted last', async () => {
    await limit('a', { site: 'harbour', lower: 0, upper: 30 });
    await limit('b', { site: 'harbour', lower: 0, upper: 10 });
    await limit('c', { site: 'quarry', lower: 0, upper: 10 });
    await read('a', 31);
    await read('c', 20);
    await read('b', 12);
    expect(driver.read(counts).map(({ key, value }) => [key, value])).toEqual(
      expect.arrayContaining([
        ['harbour', { site: 'harbour', alarms: 1, lastSensor: 'a', lastTimestamp: 1 }],
        ['quarry', { site: 'quarry', alarms: 1, lastSensor: 'c', lastTimestamp: 2 }],
        ['harbour', { site: 'harbour', alarms: 2, lastSensor: 'b', lastTimestamp: 3 }],
      ]),
    );
  });

  it('goes on at the new site of a sensor that has moved', async () => {
    await limit('a', { site: 'harbour', lower: 0, upper: 30 });
    await read('a', 31);
    await limit('a', { site: 'quarry', lower: 0, upper: 30 });
    await read('a', 31, 32);
    const newest = new Map(driver.readAll(counts).map(({ key, value }) => [key, value!.alarms]));
    expect(newest).toEqual(new Map([['harbour', 1], ['quarry', 2]]));
  });

  it('is 1, 2, 3 and so on to the number of alarms, under kills', async () => {
    driver = await JobTestDriver.start(job(), { ...options, network: LIFELIKE, seed: 4 });
    const random = new SeededRandom(4);
    for (let i = 0; i < 9; i++) await limit(`s${i}`, { site: `site${i % 3}`, lower: 0, upper: 20 });
    const kills = driver.cluster.faults.randomly({ points: ['append:applied', 'commit:send', 'commit:applied', 'commit:replied'], probability: 0.02, action: () => ({ type: 'kill' }) });
    let due = 0;
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 20; i++) {
        const temperature = random.between(0, 40);
        const id = `s${random.between(0, 8)}`;
        if (temperature > 20) due++;
        driver.pipe(readings, id, { id, timestamp: ++time, temperature });
      }
      await throughKills(random);
    }
    kills.remove();
    await driver.until(() => driver.readAll(counts).length >= due);
    expect(driver.readAll(alarms)).toHaveLength(due);
    for (const site of ['site0', 'site1', 'site2']) {
      const numbers = driver.readAll(counts).filter(({ key }) => key === site).map(({ value }) => value!.alarms);
      expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    }
    expect(kills.hits).toBeGreaterThan(3);
  });
});

describe('records that cannot be read', () => {
  it.each([
    ['readings', 's,1', /readings partition \d at offset \d+ as sensor-reading-line: .*id,timestamp,temperature/],
    ['readings', 's,,3', /sensor-reading-line/],
    ['limits', '{"site":"harbour","lower":0}', /limits partition \d at offset \d+ as sensor-limit-json: .*"upper":number/],
    ['limits', 'null', /sensor-limit-json/],
  ])('fail the job, with their place: %s %s', async (name, value, message) => {
    driver.cluster.produce(name, 1, [{ key: 's', value }]);
    await expect(driver.checkpoint()).rejects.toThrow(message);
  });
});

async function throughKills(random: SeededRandom): Promise<void> {
  for (;;) {
    try {
      return await driver.checkpoint();
    } catch (thrown) {
      if (!(thrown instanceof ProcessKilled)) throw thrown;
      await driver.crash();
      if (random.chance(0.3)) driver.disk.wipe();
      await driver.recover().catch(() => undefined);
    }
  }
}
