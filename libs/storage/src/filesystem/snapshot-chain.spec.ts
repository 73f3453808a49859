import { beforeEach, describe, expect, it } from '@jest/globals';
import { RecordColumns, type WeirError } from '@weir/core';
import { InMemorySnapshots } from '@weir/testing';
import { type Changes, CLOCK, CommittedTruth, DIRECTORY, filesOf, shortNames, SnapshotOwner } from './snapshot-rig.spec-d.js';

let place: InMemorySnapshots;
let truth: CommittedTruth;
const LARGE = 'x'.repeat(50_000);

const start = (retained?: number): Promise<SnapshotOwner> => SnapshotOwner.start(place, truth, retained === undefined ? {} : { retained });
const refusal = (promise: Promise<unknown>): Promise<WeirError> => promise.then(() => Promise.reject(new Error('expected a refusal')), (thrown: WeirError) => thrown);
const stateOf = ({ state }: CommittedTruth): Record<string, string> => Object.fromEntries([...state].sort(([a], [b]) => (a < b ? -1 : 1)));
const whole = (names: readonly string[]): string[] => names.map((name) => `${DIRECTORY}/${name}`).sort();

/** Ends an owner, and starts another that finds what is committed. */
async function restart(owner: SnapshotOwner, retained?: number): Promise<SnapshotOwner> {
  await owner.end();
  const next = await start(retained);
  expect(next.state).toEqual(stateOf(truth));
  return next;
}

beforeEach(() => {
  place = new InMemorySnapshots();
  truth = new CommittedTruth();
});

describe('snapshots of a store', () => {
  it('cost a checkpoint what it changed: one file with its changes, and nothing where nothing changed', async () => {
    const owner = await start();
    expect(await owner.commit([])).toMatchObject({ backend: 'filesystem', files: [], kept: [], rows: 0 });
    const first = await owner.commit([['a', '1'], ['b', '2']]);
    expect([shortNames(first.files), first.rows]).toEqual([['0.delta-0'], 2]);
    expect((await owner.commit([])).files).toEqual(first.files);
    const second = await owner.commit([['a', null], ['c', '3']]);
    expect([shortNames(second.files), second.rows]).toEqual([['0.delta-0', '1.delta-0'], 4]);
    expect(place.names()).toEqual(whole(second.files));
    await restart(owner);
  });

  it('bring back what is committed, again and again, deletions too', async () => {
    let owner = await start();
    for (let n = 0; n < 5; n++) {
      await owner.commit([[`k${n}`, String(n)], [`k${n - 2}`, null], ['all', String(n)]]);
      owner = await restart(owner);
    }
    expect(owner.state).toEqual({ all: '4', k3: '3', k4: '4' });
  });

  it('keep empty keys and values, and bytes of any sort', async () => {
    const owner = await start();
    await owner.commit([['', ''], ['\0\0\0\0', '\xff\xfe'], ['ü', '\u{1F30A}']]);
    await restart(owner);
  });

  it('put 16 files of a level together, so that many small checkpoints have few files', async () => {
    let owner = await start();
    for (let n = 0; n < 40; n++) {
      await owner.commit([[`k${n % 7}`, String(n)]]);
      await owner.settled();
    }
    const { files, rows } = truth.reference!;
    expect(shortNames(files).map((name) => name.split('.')[1])).toEqual(['delta-1', 'delta-1', ...Array<string>(files.length - 2).fill('delta-0')]);
    expect([files.length < 16, rows]).toEqual([true, 40]);
    owner = await restart(owner);
    for (let n = 0; n < 300; n++) {
      await owner.commit([[`k${n % 7}`, `later ${n}`]]);
      await owner.settled();
    }
    expect(truth.reference!.files.some((name) => name.endsWith('delta-2'))).toBe(true);
    expect(truth.reference!.files.length).toBeLessThan(40);
    await restart(owner);
  });

  it('begin anew with a base once the changes outgrow the one before, and drop what it replaces', async () => {
    const owner = await start();
    for (let n = 0; n < 30; n++) {
      await owner.commit([[`k${n % 5}`, LARGE + n]]);
      await owner.settled();
    }
    const { files, rows } = truth.reference!;
    expect(files[0]).toMatch(/base$/);
    expect(rows).toBeLessThan(30);
    expect(place.names()).toEqual(whole(files));
    await restart(owner);
  });

  it('write a base while the heap goes on changing, and lose nothing of either', async () => {
    const slow = (place = new InMemorySnapshots({ maxDelayMs: 40, seed: 5 }));
    const changes = (n: number): Changes => [[`k${n % 50}`, `${LARGE}${n}`], [`gone${n}`, 'x'], [`gone${n - 3}`, null]];
    let owner: SnapshotOwner | undefined;
    const soon = <T>(promise: Promise<T>): Promise<T> => CLOCK.settled(promise);
    owner = await soon(start());
    for (let n = 0; n < 120; n++) await soon(owner.commit(changes(n)));
    expect(slow.names().some((name) => name.endsWith('base'))).toBe(true);
    await soon(owner.end());
    owner = await soon(start());
    expect(owner.state).toEqual(stateOf(truth));
    await soon(owner.end());
  });
});

describe('a snapshot that is taken and not committed', () => {
  it('changes nothing of what was before, and is deleted by the next owner', async () => {
    const owner = await start();
    const committed = await owner.commit([['a', '1']]);
    await owner.take([['a', '2']]);
    await owner.settled();
    expect(place.names()).toHaveLength(2);
    const next = await restart(owner);
    await next.settled();
    expect(place.names()).toEqual(whole(committed.files));
  });

  it('of a task that never committed is deleted once its first commit is definite, not before', async () => {
    const owner = await start();
    await owner.take([['a', '1']]);
    const next = await restart(owner);
    await next.settled();
    expect(filesOf(place)).toHaveLength(1);
    const { files } = await next.commit([['a', '2']]);
    await next.settled();
    expect(place.names()).toEqual(whole(files));
  });

  it('may have been committed all the same: the next owner finds it', async () => {
    const owner = await start();
    await owner.commit([['a', '1']]);
    owner.commitTaken([['a', '2']], await owner.take([['a', '2']]));
    const next = await restart(owner);
    await next.settled();
    expect(place.names()).toEqual(whole(truth.reference!.files));
  });
});

describe('retained snapshots', () => {
  /** Commits that change nothing take up the bases that were written last. */
  const withoutChanges = async (owner: SnapshotOwner): Promise<void> => {
    for (let n = 0; n < 2; n++) {
      await owner.commit([]);
      await owner.settled();
    }
  };
  /** Commits that each need a base of their own. */
  const withBases = async (owner: SnapshotOwner, commits: number): Promise<void> => {
    for (let n = 0; n < commits; n++) {
      await owner.commit(Array.from({ length: 21 }, (_, k) => [`k${k}`, `${LARGE}${n}`] as const));
      await owner.settled();
    }
  };

  it('are one unless more are asked for: nothing is kept beside the last', async () => {
    const owner = await start();
    await withBases(owner, 6);
    await withoutChanges(owner);
    expect(truth.reference!.kept).toEqual([]);
    expect(place.names()).toEqual(whole(truth.reference!.files));
  });

  it('are whole as many as are asked for, through a restart, and go then', async () => {
    const taken: (readonly string[])[] = [];
    let owner = await start(3);
    for (let n = 0; n < 12; n++) {
      await withBases(owner, 1);
      taken.push(truth.reference!.files);
      expect(place.names()).toEqual(expect.arrayContaining(whole([...new Set(taken.slice(-3).flat())])));
      if (n > 2) expect(truth.reference!.kept.length).toBeGreaterThan(0);
      if (n === 6) owner = await restart(owner, 3);
    }
    await withoutChanges(owner);
    expect(place.names()).toEqual(whole([...truth.reference!.files, ...truth.reference!.kept]));
  });

  it('go when fewer are asked for from now on', async () => {
    let owner = await start(4);
    await withBases(owner, 6);
    owner = await restart(owner, 1);
    await withBases(owner, 1);
    await withoutChanges(owner);
    expect(place.names()).toEqual(whole(truth.reference!.files));
  });
});

describe('an owner that was fenced and does not know it', () => {
  it('harms no successor: not by what it deletes, nor by what it writes (P3, P4)', async () => {
    const zombie = await start();
    for (let n = 0; n < 3; n++) await zombie.commit([[`k${n}`, 'before']]);
    const successor = await start(); // claims
    for (let n = 0; n < 20; n++) {
      await successor.commit([[`k${n}`, 'after']]);
      await successor.settled();
    }
    // It wakes with its last commit definite, takes another one that fails, and keeps its house.
    await zombie.take([['k0', 'never']]);
    await zombie.store.apply(new RecordColumns(), zombie.store.position!);
    await zombie.settled();
    await restart(successor);
  });

  it('that lists before its claim and deletes late takes nothing of a successor that claimed in between', async () => {
    const first = await start();
    await first.commit([['a', '1']]);
    await first.end();
    const late = await start(); // lists, claims, restores
    const successor = await start();
    const { files } = await successor.commit([['a', '2']]);
    await late.commit([]).catch(() => undefined); // in the log it would be fenced; its housekeeping goes on
    await late.settled();
    expect(place.names()).toEqual(expect.arrayContaining(whole(files)));
  });
});

describe('housekeeping that fails', () => {
  it('fails no checkpoint, and is made up for later', async () => {
    const owner = await start();
    const full = place.faults.at('create:half', { type: 'fail', error: new Error('no space left') }, { when: (name) => name.endsWith('.delta-1'), times: 2 });
    for (let n = 0; n < 80; n++) {
      await owner.commit([['k', String(n)]]);
      await owner.settled();
    }
    expect(full.hits).toBe(2);
    expect(truth.reference!.files.length).toBeLessThan(32);
    await restart(owner);
  });

  it('to delete tries again with the next commit', async () => {
    const owner = await start();
    for (let n = 0; n < 16; n++) await owner.commit([['k', String(n)]]);
    const denied = place.faults.at('delete:send', { type: 'fail', error: new Error('denied') }, { times: 20 });
    await owner.settled();
    for (let n = 0; n < 3; n++) {
      await owner.commit([['k', String(n)]]);
      await owner.settled();
    }
    expect(denied.hits).toBe(20);
    expect(place.names()).toEqual(whole(truth.reference!.files));
  });

  it('for ever stops the task when a snapshot has as many files as it may, and says why', async () => {
    const owner = await start();
    place.faults.at('create:half', { type: 'fail', error: new Error('no space left') }, { when: (name) => !name.endsWith('.delta-0'), times: 1_000 });
    const failed = await refusal((async () => {
      for (let n = 0; n < 600; n++) await owner.commit([['k', String(n)]]);
    })());
    expect([failed.code, failed.kind, failed.cause]).toEqual(['SNAPSHOTS_BEHIND', 'restart-task', new Error('no space left')]);
    expect(truth.reference!.files).toHaveLength(512);
    expect(() => owner.store.get(Buffer.from('k'))).toThrow('SNAPSHOTS_BEHIND'); // S7
    place.faults.clear();
    await restart(owner);
  });

  it('is dropped when the store closes, and leaves nothing unfinished', async () => {
    const owner = await start();
    for (let n = 0; n < 22; n++) await owner.commit([[`k${n}`, LARGE]]);
    await owner.end(); // a base is being written
    expect(place.unfinished).toEqual([]);
    await start();
  });
});

describe('a store whose snapshot cannot be taken', () => {
  it('throws what went wrong, and stays failed (S7)', async () => {
    const owner = await start();
    await owner.commit([['a', '1']]);
    const full = new Error('disk full');
    place.faults.at('create:send', { type: 'fail', error: full });
    expect(await refusal(owner.take([['a', '2']]))).toBe(full);
    expect(await refusal(owner.take([['a', '2']]))).toBe(full);
    expect(() => owner.store.get(Buffer.from('a'))).toThrow(full);
    await restart(owner);
  });
});

describe('what lies in the directory', () => {
  it('of others is left alone', async () => {
    place.put(`${DIRECTORY}/notes.txt`, Buffer.from('x'));
    place.put('app/0/0-2/0123456789abcdef0123456789abcdef-0.base', Buffer.from('x'));
    const owner = await start();
    await owner.commit([['a', '1']]);
    await owner.settled();
    expect(place.names()).toHaveLength(3);
  });

  it('unfinished of a dead owner is deleted', async () => {
    place.faults.at('create:half', { type: 'kill' });
    const dying = await start();
    void dying.take([['a', '1']]);
    await CLOCK.advance(1);
    expect(place.unfinished).toHaveLength(1);
    const owner = await start();
    await owner.commit([['a', '2']]);
    await owner.settled();
    expect(place.unfinished).toEqual([]);
  });

  it.each([
    ['is missing', () => undefined, 'SNAPSHOT_MISSING'],
    ['is empty', () => Buffer.alloc(0), 'SNAPSHOT_DAMAGED'],
    ['is cut', (content: Buffer) => content.subarray(0, -1), 'SNAPSHOT_DAMAGED'],
    ['has a bit turned', (content: Buffer) => Buffer.from(content).fill(content[40]! ^ 1, 40, 41), 'SNAPSHOT_DAMAGED'],
  ] as const)('that is needed and %s is an error that names the file, and nothing is deleted for it', async (_, damage, code) => {
    const owner = await start();
    await owner.commit([['a', '1']]);
    await owner.commit([['b', '2']]);
    await owner.end();
    const [, damaged] = whole(truth.reference!.files);
    const before = place.content(damaged!)!;
    place.put(damaged!, damage(before));
    const left = place.names();
    const failed = await refusal(start());
    expect([failed.code, failed.kind]).toEqual([code, 'invalid']);
    expect(failed.message).toContain(damaged!.slice(DIRECTORY.length + 1));
    await CLOCK.advance(1_000);
    expect(place.names()).toEqual(left);
    place.put(damaged!, before);
    expect((await start()).state).toEqual(stateOf(truth));
  });
});
