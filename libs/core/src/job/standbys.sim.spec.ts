import { afterEach, describe, expect, it } from '@jest/globals';
import type { JobTestDriver } from '@weir/testing';
import { WeirError } from '../errors/weir-error.js';
import { ReplicaSet, type ReplicaOptions } from './replica-set.spec-d.js';
import { Alerts, Counts } from './replica-works.spec-d.js';
import { PARTITIONS } from './sensor-rig.spec-d.js';
import { asFilesystem, asHeap, copiesOf, CopyReaders, untilFollowed, verifyCopies } from './standbys-rig.spec-d.js';

let replicas: ReplicaSet;
afterEach(() => replicas.end());

/** Replicas with copies of everything, and state of 400 readings. */
async function followed(count: number, seed: number, options: ReplicaOptions = {}): Promise<ReplicaSet> {
  const standbys = options.standbys ?? 1;
  replicas = await ReplicaSet.start(new Alerts(seed), count, seed, false, { ...options, standbys });
  replicas.pipe(400);
  await replicas.clock.advance(1_000);
  await untilFollowed(replicas, PARTITIONS * Math.min(standbys, count - 1));
  return replicas;
}

const restoresOf = (driver: JobTestDriver, tasks: readonly string[]) =>
  driver.overview().tasks.filter(({ subTopology, task }) => tasks.includes(`${subTopology}-${task}`)).map(({ restore }) => restore!);

/** Kills the first replica; the other one runs what it ran. @returns those tasks */
async function killFirst(): Promise<readonly string[]> {
  const { drivers, running } = replicas;
  const moved = running[0]!;
  await drivers[0]!.crash();
  await replicas.clock.waitUntil(() => replicas.running[1]!.length === PARTITIONS, 60_000);
  return moved;
}

describe('standbys', () => {
  it('keep a copy of each task on a replica that does not run it, spread over all, and what a copy holds is what the changelog holds', async () => {
    await followed(3, 1);
    expect(replicas.drivers.flatMap(copiesOf).sort()).toEqual(['0-0', '0-1', '0-2', '0-3']);
    expect(replicas.drivers.map((driver, i) => copiesOf(driver).length + replicas.running[i]!.length).sort()).toEqual([2, 3, 3]);
    verifyCopies(replicas);
    await replicas.finish();
  });

  it('are as many as there are other replicas where more are asked for, and none where the process is alone', async () => {
    await followed(2, 2, { standbys: 3 });
    expect(replicas.drivers.map((driver) => copiesOf(driver).length)).toEqual([2, 2]);
    await replicas.drivers[0]!.stop();
    await replicas.clock.waitUntil(() => replicas.running[1]!.length === PARTITIONS, 60_000);
    expect(copiesOf(replicas.drivers[1]!)).toEqual([]);
    await replicas.clock.waitUntil(() => replicas.drivers[1]!.job.isReady());
  });

  it('are taken over when the owner is killed: only the tail of the changelog is read', async () => {
    await followed(2, 3);
    const moved = await killFirst();
    expect(moved).toHaveLength(2);
    for (const restore of restoresOf(replicas.drivers[1]!, moved)) expect(restore).toMatchObject({ fromLocalState: true, records: 0, remaining: 0 });
    expect(replicas.drivers[1]!.telemetry.of('standby-status').filter(({ to }) => to === 'PROMOTED')).toHaveLength(2);
    replicas.drivers.shift();
    replicas.pipe(100);
    await replicas.finish();
  });

  it('are taken over on the heap, too, open as they are: no changelog is read again', async () => {
    await followed(2, 4, { state: asHeap });
    const moved = await killFirst();
    for (const restore of restoresOf(replicas.drivers[1]!, moved)) expect(restore).toMatchObject({ fromLocalState: true, records: 0 });
    replicas.drivers.shift();
    replicas.pipe(100);
    await replicas.finish();
  });

  it('trap 12: promoted while behind, the task reads what its copy lacks before it runs', async () => {
    const readers = new CopyReaders();
    await followed(2, 5, { log: readers.wrap });
    readers.hold();
    replicas.pipe(200);
    await replicas.clock.advance(2_000);
    const [first, second] = replicas.drivers as [JobTestDriver, JobTestDriver];
    const behind = copiesOf(second).map((name) => [name, second.disk.positions().get(name)!.offset, first.disk.positions().get(name)!.offset] as const);
    for (const [, copy, owner] of behind) expect(copy).toBeLessThan(owner);
    const moved = await killFirst();
    for (const restore of restoresOf(second, moved)) {
      expect(restore).toMatchObject({ fromLocalState: true, remaining: 0 });
      expect(restore.records).toBeGreaterThan(0);
    }
    replicas.drivers.shift();
    replicas.pipe(100);
    await replicas.finish();
  });

  it('are what becomes of a task that leaves, with its store: nothing is read again', async () => {
    replicas = await ReplicaSet.start(new Alerts(6), 1, 6, false, { standbys: 1 });
    replicas.pipe(400);
    await replicas.clock.advance(1_000);
    await replicas.add();
    await untilFollowed(replicas, PARTITIONS);
    const [first] = replicas.drivers;
    const caughtUp = first!.telemetry.of('standby-status').filter(({ to }) => to === 'FOLLOWING');
    expect(caughtUp.map(({ records }) => records)).toEqual([0, 0]);
    expect(first!.telemetry.of('store-rebuild')).toEqual([]);
    verifyCopies(replicas);
    await replicas.finish();
  });

  it('are none where state is in snapshots, and that is said', async () => {
    replicas = await ReplicaSet.start(new Alerts(9), 2, 9, false, { standbys: 1, state: asFilesystem });
    replicas.pipe(100);
    await replicas.finish();
    for (const driver of replicas.drivers) {
      expect(copiesOf(driver)).toEqual([]);
      expect(driver.telemetry.of('job-notice').map(({ message }) => message)).toContainEqual(expect.stringContaining('group.standbys is 1, and no copies are kept'));
    }
  });

  it('fail alone: the copy begins anew, and the job runs on', async () => {
    const readers = new CopyReaders();
    await followed(2, 7, { log: readers.wrap });
    const failedBefore = replicas.drivers.flatMap(({ telemetry }) => telemetry.of('task-failed'));
    let failures = 0;
    readers.meddle = (chunk) => {
      if (failures++ > 0) return chunk;
      throw new WeirError('restart-task', 'PLANNED', 'The log cannot be read.');
    };
    replicas.pipe(100);
    await replicas.clock.waitUntil(() => failures > 0);
    await untilFollowed(replicas, PARTITIONS);
    expect(replicas.drivers.flatMap(({ telemetry }) => telemetry.of('standby-failed')).map(({ retryInMs }) => retryInMs)).toEqual([1_000]);
    expect(replicas.drivers.flatMap(({ telemetry }) => telemetry.of('task-failed'))).toEqual(failedBefore); // a start that a rebalance cut off, at most
    verifyCopies(replicas);
    await replicas.finish();
  });

  it.each([1, 2, 3, 4, 5, 6])('keep everything right while replicas are killed, stopped and started at random: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Alerts(seed), 3, seed, seed % 2 === 0, { standbys: 1 + (seed % 2), ...(seed % 3 === 0 ? { state: asHeap } : {}) });
    for (let round = 0; round < 8; round++) await replicas.disturb();
    await replicas.finish();
    await replicas.untilShared(3);
    await untilFollowed(replicas, PARTITIONS * (1 + (seed % 2)));
    verifyCopies(replicas);
  });

  it.each([1, 2, 3])('keep a job of two stages right: seed %i', async (seed) => {
    replicas = await ReplicaSet.start(new Counts(seed), 3, seed, seed % 2 === 0, { standbys: 1 });
    for (let round = 0; round < 6; round++) await replicas.disturb();
    await replicas.finish();
    await replicas.untilShared(3);
    await untilFollowed(replicas, replicas.work.tasks);
    verifyCopies(replicas);
  });
});

describe('the checks on standbys', () => {
  it('see a copy whose position runs ahead of what it holds', async () => {
    const readers = new CopyReaders();
    await followed(2, 8, { log: readers.wrap });
    readers.meddle = (chunk) => {
      chunk.records.count = 0;
      return chunk;
    };
    replicas.pipe(200);
    await replicas.clock.advance(2_000);
    expect(() => verifyCopies(replicas)).toThrow();
    await killFirst();
    replicas.drivers.shift();
    replicas.pipe(200);
    await expect(replicas.finish()).rejects.toThrow();
  });
});
