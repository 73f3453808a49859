import { describe, expect, it } from '@jest/globals';
import { clockOf, incarnation, offset, type RecordColumns, RecordWriter, type StateStore, taskIndex, WeirError } from '@weir/core';
import { describeStateBackendConformance } from '../conformance/state-store.js';
import { ManualClock } from '../manual-clock.js';
import { SimulatedDisk } from './simulated-disk.js';

describeStateBackendConformance('the simulated disk', () => {
  const disk = new SimulatedDisk();
  const factory = { kind: 'rocksdb' as const, open: (stores: number) => disk.connect(clockOf(globalThis)).open(stores) };
  return Promise.resolve({ factory, durable: true, dispose: () => Promise.resolve() });
});

const scope = { applicationId: 'a', incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };
const at = (value: number) => ({ offset: offset(value), topicId: 't', leaderEpoch: 0, writtenAt: 0 });
const columns = (entries: Readonly<Record<string, string>>): RecordColumns => {
  const writer = new RecordWriter();
  for (const [key, value] of Object.entries(entries)) writer.add(0, Buffer.from(key), Buffer.from(value));
  return writer.columns;
};
const put = (store: StateStore, position: number, entries: Readonly<Record<string, string>>): Promise<void> =>
  store.apply(columns(entries), at(position));
const text = (entries: ReadonlyMap<string, Buffer>): Record<string, string> =>
  Object.fromEntries([...entries].map(([key, value]) => [key, value.toString()]));

/** A process with one store open. */
async function open(disk: SimulatedDisk, of = scope) {
  const process = disk.connect();
  const backend = await process.open(2);
  return { process, backend, store: await backend.open(of) };
}

/** Whether a promise has settled by the time that nothing is left to run. */
async function settles(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const done = (): void => void (settled = true);
  promise.then(done, done);
  await new ManualClock().advance(0);
  return settled;
}

describe('a process that was killed', () => {
  it('writes nothing any more, and leaves its stores free for the next one with what they held', async () => {
    const disk = new SimulatedDisk();
    const { process, store } = await open(disk);
    await put(store, 1, { a: '1' });
    process.kill();
    void put(store, 2, { a: '2' });
    const { store: next } = await open(disk);
    expect(next.position).toEqual(at(1));
    expect(next.get(Buffer.from('a'))?.toString()).toBe('1');
  });

  it('never hears of its calls again, those from before its death included', async () => {
    const disk = new SimulatedDisk();
    const { process, backend, store } = await open(disk);
    const before = put(store, 1, { a: '1' });
    process.kill();
    const another = { ...scope, task: taskIndex(1) };
    const ofStore = [before, put(store, 2, {}), put(store, 0, {}), store.close()];
    const ofBackend = [backend.open(another), backend.destroy(scope), backend.close(), process.open(1)];
    for (const call of [...ofStore, ...ofBackend]) expect(await settles(call)).toBe(false);
    expect(disk.positions()).toEqual(new Map([['0-0', at(1)]]));
  });

  it('takes no lock that it was waiting for', async () => {
    const clock = new ManualClock();
    const disk = new SimulatedDisk();
    const first = await open(disk);
    const waiting = disk.connect(clock);
    const opened = (await waiting.open(1)).open(scope);
    await clock.advance(50);
    waiting.kill();
    await first.store.close();
    await clock.advance(1_000);
    expect(await settles(opened)).toBe(false);
    await expect(open(disk)).resolves.toBeDefined();
  });

  it('does not free what its successor has open when its own calls come late', async () => {
    const disk = new SimulatedDisk();
    const dead = await open(disk);
    dead.process.kill();
    await open(disk);
    void dead.store.close();
    void dead.backend.close();
    await expect(open(disk)).rejects.toThrow(/STATE_LOCKED/);
  });
});

describe('the lock of a store', () => {
  it('is waited for by the clock of the process, 300 ms and no longer, to open and to destroy', async () => {
    const clock = new ManualClock();
    const disk = new SimulatedDisk();
    await open(disk);
    const other = await disk.connect(clock).open(1);
    for (const act of [() => other.open(scope), () => other.destroy(scope)]) {
      const refused = act();
      refused.catch(() => undefined);
      await clock.advance(299);
      expect(await settles(refused)).toBe(false);
      await clock.advance(1);
      await expect(refused).rejects.toMatchObject({ kind: 'retry', code: 'STATE_LOCKED' });
    }
  });

  it('is not let go by closing once more a store that was opened anew since', async () => {
    const disk = new SimulatedDisk();
    const { backend, store } = await open(disk);
    await store.close();
    await backend.open(scope);
    await store.close();
    await expect(open(disk)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
  });

  it('is refused at once without a clock', async () => {
    const disk = new SimulatedDisk();
    await open(disk);
    await expect(open(disk)).rejects.toMatchObject({ code: 'STATE_LOCKED' });
  });
});

describe('a backend', () => {
  it('opens no more stores than it was opened for, at one time', async () => {
    const disk = new SimulatedDisk();
    const { backend, store } = await open(disk);
    const others = [1, 2].map((task) => ({ ...scope, task: taskIndex(task) }));
    await backend.open(others[0]!);
    await expect(backend.open(others[1]!)).rejects.toMatchObject({ kind: 'internal', code: 'STATE_TOO_MANY_STORES' });
    await store.close();
    await expect(backend.open(others[1]!)).resolves.toBeDefined();
  });

  it.each([-1, 0.5, Number.NaN])('refuses a sub-topology, a task and an incarnation of %d', async (wrong) => {
    const { backend } = await open(new SimulatedDisk());
    for (const part of ['subTopology', 'task', 'incarnation']) {
      await expect(backend.open({ ...scope, [part]: wrong })).rejects.toMatchObject({ kind: 'invalid', code: 'STATE_SCOPE_INVALID' });
    }
  });
});

describe('a planned failure', () => {
  it('strikes the batch that it was planned for, of which nothing is written, and no other', async () => {
    const disk = new SimulatedDisk();
    const { backend, store } = await open(disk);
    disk.failApply(new Error('full'), 1);
    await put(store, 1, { a: '1' });
    const failure = { kind: 'restart-task', code: 'STATE_WRITE_FAILED', cause: new Error('full') };
    await expect(put(store, 2, { a: '2' })).rejects.toMatchObject(failure);
    expect(disk.positions().get('0-0')).toEqual(at(1));
    expect(text(disk.entries('0-0'))).toEqual({ a: '1' });
    await store.close();
    await put(await backend.open(scope), 2, { a: '2' });
    expect(text(disk.entries('0-0'))).toEqual({ a: '2' });
  });

  it('leaves its store failed: every later use throws the same error, until it is closed (S7)', async () => {
    const disk = new SimulatedDisk();
    const { store } = await open(disk);
    await put(store, 1, { a: '1' });
    const scan = store.scan(Buffer.alloc(0));
    const error = new WeirError('rebuild-state', 'STATE_DAMAGED', 'planned');
    disk.failApply(error);
    await expect(put(store, 2, {})).rejects.toBe(error);
    await expect(put(store, 3, {})).rejects.toBe(error);
    const key = Buffer.from('a');
    const uses = [() => store.get(key), () => store.getMany([key]), () => store.scan(key), () => scan.next()];
    for (const use of uses) expect(use).toThrow(error);
    await store.close();
    expect(() => store.get(key)).toThrow(/STATE_CLOSED/);
  });

  it('does not count batches that are refused', async () => {
    const disk = new SimulatedDisk();
    const { store } = await open(disk);
    disk.failApply(new Error('full'), 1);
    await put(store, 5, {});
    await expect(put(store, 4, {})).rejects.toThrow(/STATE_POSITION_REGRESSED/);
    await expect(put(store, 6, {})).rejects.toThrow(/full/);
  });
});

describe('the disk as a spec sees it', () => {
  it('names stores by sub-topology and task, and in full where that would be ambiguous', async () => {
    const disk = new SimulatedDisk();
    const old = await open(disk);
    await put(old.store, 1, { a: 'old' });
    expect([...disk.positions().keys()]).toEqual(['0-0']);
    const lives = await open(disk, { ...scope, incarnation: incarnation(1) });
    await put(lives.store, 2, { a: 'new' });
    await lives.backend.open({ ...scope, subTopology: 2, task: taskIndex(3) });
    expect(disk.positions()).toEqual(new Map([['a/0/0-0', at(1)], ['a/1/0-0', at(2)], ['2-3', undefined]]));
    expect(text(disk.entries('a/1/0-0'))).toEqual({ a: 'new' });
    expect(disk.entries('2-3')).toEqual(disk.entries('a/0/2-3'));
    expect(disk.entries('9-9')).toEqual(new Map());
    expect(() => disk.entries('0-0')).toThrow(/DISK_NAME_AMBIGUOUS/);
  });

  it('shows copies: what is done to them does not reach the disk', async () => {
    const disk = new SimulatedDisk();
    const { store } = await open(disk);
    await put(store, 1, { a: '1' });
    disk.entries('0-0').get('a')!.fill(0);
    disk.image().get('a/0/0-0')!.entries.get('a')!.fill(0);
    expect(text(disk.entries('0-0'))).toEqual({ a: '1' });
  });

  it('goes back to an image, as often as asked, whatever was written since', async () => {
    const disk = new SimulatedDisk();
    const first = await open(disk);
    await put(first.store, 1, { a: '1', b: '1' });
    const image = disk.image();
    for (let round = 0; round < 2; round++) {
      const { process, store } = round === 0 ? first : await open(disk);
      await put(store, 2, { a: '2', c: '2' });
      process.kill();
      disk.restoreImage(image);
      const again = disk.image();
      disk.restoreImage(again);
      again.get('a/0/0-0')!.entries.get('a')!.fill(0);
      expect(text(disk.entries('0-0'))).toEqual({ a: '1', b: '1' });
      expect(disk.positions().get('0-0')).toEqual(at(1));
    }
  });

  it('lets what is open go on when everything is wiped, without a place on the disk', async () => {
    const disk = new SimulatedDisk();
    const { process, store } = await open(disk);
    await put(store, 1, { a: '1' });
    disk.wipe();
    await put(store, 2, { b: '2' });
    expect(store.get(Buffer.from('a'))?.toString()).toBe('1');
    expect(disk.positions()).toEqual(new Map());
    process.kill();
    const next = await open(disk);
    expect(next.store.position).toBeUndefined();
    expect([...next.store.scan(Buffer.alloc(0))]).toEqual([]);
  });
});
