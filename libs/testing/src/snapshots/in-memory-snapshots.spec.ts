import { describe, expect, it } from '@jest/globals';
import { describeSnapshotStoreConformance } from '../conformance/snapshot-store.js';
import { ManualClock } from '../manual-clock.js';
import { InMemorySnapshots } from './in-memory-snapshots.js';

describeSnapshotStoreConformance('InMemorySnapshots', async () => {
  const place = new InMemorySnapshots();
  return { open: async () => place.connect(), dispose: async () => undefined };
});

const settles = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  await new ManualClock().advance(0);
  return settled;
};

describe('a process that dies', () => {
  it.each([
    ['create:send', [], 0],
    ['create:half', [], 1],
    ['create:applied', ['app/file'], 0],
  ] as const)('at %s has created %j, left %i unfinished, and hears of nothing', async (point, names, unfinished) => {
    const place = new InMemorySnapshots();
    let killed = 0;
    place.faults.at(point, { type: 'kill' });
    expect(await settles(place.connect({ onKill: () => void killed++ }).create('app/file', [Buffer.from('a'), Buffer.from('b')]))).toBe(false);
    expect([place.names(), place.unfinished.length, killed]).toEqual([names, unfinished, 1]);
    expect(await place.connect().create('app/other', [])).toBe(true);
  });

  it('changes nothing after its death', async () => {
    const place = new InMemorySnapshots();
    const dead = place.connect();
    await dead.create('app/file', []);
    dead.kill();
    expect(await settles(dead.delete('app/file'))).toBe(false);
    expect(await settles(dead.create('app/late', []))).toBe(false);
    expect(place.names()).toEqual(['app/file']);
  });
});

describe('a planned fault', () => {
  it('fails the calls that it is for, after those that pass', async () => {
    const place = new InMemorySnapshots();
    const store = place.connect();
    const fault = place.faults.at('delete:send', { type: 'fail', error: new Error('read-only') }, { when: (name) => name !== 'app/free', skip: 1, times: 2 });
    const outcomes: string[] = [];
    for (const name of ['app/free', 'app/1', 'app/2', 'app/3', 'app/4']) {
      await store.create(name, []);
      outcomes.push(await store.delete(name).then(() => 'gone', (thrown: Error) => thrown.message));
    }
    expect([outcomes, fault.hits]).toEqual([['gone', 'gone', 'read-only', 'read-only', 'gone'], 2]);
    expect(place.names()).toEqual(['app/2', 'app/3']);
  });

  it('delays calls by the clock of their process', async () => {
    const clock = new ManualClock();
    const place = new InMemorySnapshots({ seed: 3, maxDelayMs: 50 });
    const created = place.connect({ clock }).create('app/file', [Buffer.from('x')]);
    expect(place.names()).toEqual([]);
    expect(await clock.settled(created)).toBe(true);
    expect(clock.monotonic()).toBeGreaterThan(0);
  });
});
