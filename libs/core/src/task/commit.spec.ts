import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { rejectionOf } from '../errors/thrown-by.spec-d.js';
import { WeirError } from '../errors/weir-error.js';
import { checkpointId, epoch, generation, incarnation, offset } from '../model/brands.js';
import type { StorePosition } from '../ports/state-backend.js';
import { FakeStore } from '../state/fake-store.spec-d.js';
import { commitEpoch, type CommitParts, type FrozenEpoch } from './commit.js';
import { CommitPermit, fixedMembership } from './commit-permit.js';
import { decodeEpochRecord, encodeEpochRecord } from '../checkpoint/epoch-record.js';
import { EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY } from '../state/stored-key.js';
import { EpochEffects } from './epoch-effects.js';
import { FakeWriter, type WriterStep } from './fake-log.spec-d.js';

const TIMEOUT_MS = 60_000;
const MEMBERSHIP = { groupId: 'app', generation: generation(5), memberId: 'm-1' };
const fenced = new WeirError('fenced', 'FENCED', 'Another writer has the id.');

/** An epoch with two outputs and three changes, and what it is committed with; every act lands in `acts`. */
class Rig {
  readonly writer = new FakeWriter('app-0-1');
  readonly store = new FakeStore();
  readonly clock = new ManualClock({ wall: 1_000_000 });
  readonly permit = new CommitPermit(fixedMembership(MEMBERSHIP), incarnation(0));
  readonly frozen: FrozenEpoch;

  constructor() {
    const effects = new EpochEffects();
    effects.writersOf('alerts', 2)[1]!.add(0, Buffer.from('k'), Buffer.from('v'));
    effects.writersOf('other', 1)[0]!.add(0, null, Buffer.from('v'));
    for (const key of ['a', 'b', 'epoch record']) effects.changes.add(0, Buffer.from(key), Buffer.from('1'));
    const offsets = [{ topic: 'in', partition: 1, offset: offset(7) }];
    this.frozen = { epoch: epoch(1), barrier: checkpointId(1), effects, offsets, alignmentMs: 0 };
    const apply = this.store.apply.bind(this.store);
    this.store.apply = async (changes, position) => {
      this.writer.steps.push('apply');
      await apply(changes, position);
    };
  }

  commit(): Promise<void> {
    const changelog = { topic: 'changelog', topicId: 'id-of-changelog', partition: 1, deleteRetentionMs: 1_000 };
    const parts: CommitParts = { task: '0-1', writer: this.writer, store: this.store, changelog, clock: this.clock, transactionTimeoutMs: TIMEOUT_MS, atOnce: undefined };
    return commitEpoch(this.frozen, parts, this.permit);
  }

  /** Makes a step fail, after a while. */
  failAt(step: WriterStep, error: Error, afterMs = 0): void {
    this.writer.before = async (each) => {
      if (each !== step) return;
      if (afterMs > 0) await this.clock.advance(afterMs);
      throw error;
    };
  }

  get acts(): readonly string[] {
    return this.writer.steps;
  }
}

describe('the commit of an epoch', () => {
  it('takes its steps in order: outputs, then the changelog, offsets, the transaction, and last the store', async () => {
    const rig = new Rig();
    await rig.commit();
    expect(rig.acts).toEqual(['begin', 'append alerts-1:1 other-0:1 changelog-1:3', 'addOffsets', 'commit', 'apply']);
  });

  it('adds the offsets of the epoch in the name of the permit', async () => {
    const rig = new Rig();
    await rig.commit();
    expect([rig.writer.membership, rig.writer.offsets]).toEqual([MEMBERSHIP, rig.frozen.offsets]);
  });

  it('gives the store the position behind the epoch record, of this very log (I6)', async () => {
    const rig = new Rig();
    await rig.commit();
    const position: StorePosition = { offset: offset(103), topicId: 'id-of-changelog', leaderEpoch: 3, writtenAt: 1_000_000 };
    expect(rig.store.applied).toEqual([{ rows: 3, position }]);
  });

  it('writes to the store only once the transaction is committed (I1), however long that takes', async () => {
    const rig = new Rig();
    let committed = (): void => undefined;
    rig.writer.before = (step) => (step === 'commit' ? new Promise((resolve) => (committed = resolve)) : undefined);
    const done = rig.commit();
    await rig.clock.advance(10_000);
    expect([rig.acts.at(-1), rig.store.applied]).toEqual(['addOffsets', []]);
    committed();
    await done;
    expect(rig.acts.slice(-2)).toEqual(['commit', 'apply']);
  });

  it('takes no step before the one ahead of it is acknowledged', async () => {
    for (const [step, before] of [
      ['append', 'begin'],
      ['addOffsets', 'append alerts-1:1 other-0:1 changelog-1:3'],
    ] as const) {
      const rig = new Rig();
      rig.writer.before = (each) => (each === step ? new Promise(() => undefined) : undefined);
      void rig.commit();
      await rig.clock.advance(0);
      expect(rig.acts.at(-1)).toBe(before);
    }
  });
});

describe('a commit that fails', () => {
  it.each(['append', 'addOffsets', 'commit'] as const)('at %s leaves the store alone (I1), and throws what the log threw', async (step) => {
    const rig = new Rig();
    rig.failAt(step, fenced);
    await expect(rig.commit()).rejects.toBe(fenced);
    expect([rig.acts.includes('apply'), rig.store.position]).toEqual([false, undefined]);
  });

  it('at the store throws what the store threw: the epoch is committed, and the changelog has it', async () => {
    const rig = new Rig();
    const full = new Error('disk full');
    rig.store.apply = () => Promise.reject(full);
    await expect(rig.commit()).rejects.toBe(full);
    expect(rig.acts.at(-1)).toBe('commit');
  });

  it('as fenced after its transaction outlived its timeout was expired, not fenced: trap 4', async () => {
    const rig = new Rig();
    rig.failAt('commit', fenced, TIMEOUT_MS);
    const thrown = await rejectionOf(rig.commit());
    expect([thrown.code, thrown.kind, thrown.cause]).toEqual(['TRANSACTION_EXPIRED', 'restart-task', fenced]);
    expect(thrown.message).toContain('The transaction of task 0-1 was aborted by the log: it was open for 60000 ms, and its timeout is 60000 ms.');
  });

  it('as fenced before that is fenced', async () => {
    const rig = new Rig();
    rig.failAt('commit', fenced, TIMEOUT_MS - 1);
    await expect(rig.commit()).rejects.toBe(fenced);
  });

  it('otherwise is what it is, however old the transaction was', async () => {
    const rig = new Rig();
    const other = new WeirError('restart-task', 'OTHER', 'Something else.');
    rig.failAt('addOffsets', other, TIMEOUT_MS * 2);
    await expect(rig.commit()).rejects.toBe(other);
  });
});

describe('what a commit makes sure of', () => {
  it('is a permit: without one it does not even begin (I4)', async () => {
    const rig = new Rig();
    rig.permit.revoke('it was assigned elsewhere');
    const thrown = await rejectionOf(rig.commit());
    expect(rig.acts).toEqual([]);
    expect(thrown).toMatchObject({ kind: 'fenced', code: 'PERMIT_REVOKED' });
    expect(thrown.message).toContain('Task 0-1 may not commit: it was assigned elsewhere.');
  });

  it.each([
    ['another topic', { topic: 'alerts' }],
    ['another partition', { partition: 0 }],
  ])('is that the last append was the changelog (I6), not %s; else nothing is committed', async (_, wrong) => {
    const rig = new Rig();
    rig.writer.acknowledge = (result) => (result.topic === 'changelog' ? { ...result, ...wrong } : result);
    const thrown = await rejectionOf(rig.commit());
    expect([thrown.code, rig.acts.includes('commit')]).toEqual(['INVARIANT_BROKEN', false]);
    expect(thrown.message).toContain('the append to changelog-1 was acknowledged as');
  });

  it('is that the store holds nothing of this epoch or beyond (I6)', async () => {
    const rig = new Rig();
    rig.store.position = { offset: offset(101), topicId: 'id-of-changelog', leaderEpoch: 3, writtenAt: 0 };
    const thrown = await rejectionOf(rig.commit());
    expect([thrown.code, rig.acts.includes('apply')]).toEqual(['INVARIANT_BROKEN', false]);
    expect(thrown.message).toContain("position 101 of the store is beyond the epoch's first record 100");
    const fits = new Rig();
    fits.store.position = { offset: offset(100), topicId: 'id-of-changelog', leaderEpoch: 3, writtenAt: 0 };
    await fits.commit();
    expect(fits.store.position.offset).toBe(103);
  });
});

describe('the commit of an epoch whose store keeps snapshots', () => {
  const RECORD = { version: 1, incarnation: incarnation(0), barrier: checkpointId(1), sequence: 0, inputs: [] } as const;

  /** Two rows of state behind what the catalogue and the epoch record need. */
  class SnapshotRig extends Rig {
    readonly snapshots = this.store.keepSnapshots();

    constructor() {
      super();
      const { changes } = this.frozen.effects;
      changes.clear();
      changes.add(5, Buffer.from('a'), Buffer.from('1'));
      changes.add(5, Buffer.from('b'), null);
      changes.add(6, STATE_CATALOGUE_KEY, Buffer.from('{}'));
      changes.add(7, EPOCH_RECORD_KEY, encodeEpochRecord(RECORD));
      const take = this.snapshots.take.bind(this.snapshots);
      this.snapshots.take = async (rows) => {
        const reference = await take(rows);
        this.writer.steps.push('snapshot');
        return reference;
      };
    }
  }

  it('makes the state durable before the transaction begins, and applies it after its commit (P1, I1)', async () => {
    const rig = new SnapshotRig();
    await rig.commit();
    expect(rig.acts).toEqual(['snapshot', 'begin', 'append alerts-1:1 other-0:1 changelog-1:2', 'addOffsets', 'commit', 'apply']);
    expect(rig.snapshots.taken).toEqual([[{ key: 'a', value: '1' }, { key: 'b', value: null }]]);
    expect(rig.store.applied).toMatchObject([{ rows: 4 }]);
  });

  it('writes to the changelog the catalogue, and an epoch record that says where the state is; no state', async () => {
    const rig = new SnapshotRig();
    await rig.commit();
    const { records } = rig.writer.appended.at(-1)!.at(-1)!;
    expect([records.key(0), records.value(0), records.timestamp[0], records.timestamp[1]]).toEqual([STATE_CATALOGUE_KEY, Buffer.from('{}'), 6, 7]);
    expect(records.key(1)).toEqual(EPOCH_RECORD_KEY);
    const snapshot = { backend: 'filesystem', files: ['file-0'], kept: [], rows: 2 };
    expect(decodeEpochRecord(records.value(1)!, 'c')).toEqual({ ...RECORD, version: 2, snapshot });
  });

  it('begins no transaction when the snapshot fails', async () => {
    const rig = new SnapshotRig();
    const full = new Error('disk full');
    rig.snapshots.before = () => Promise.reject(full);
    await expect(rig.commit()).rejects.toBe(full);
    expect(rig.acts).toEqual([]);
  });

  it('does not count the time that a snapshot takes as the age of the transaction', async () => {
    const rig = new SnapshotRig();
    rig.snapshots.before = () => rig.clock.advance(TIMEOUT_MS * 2);
    rig.failAt('commit', fenced);
    await expect(rig.commit()).rejects.toBe(fenced);
  });

  it('is refused where the changes do not end with an epoch record (I2)', async () => {
    const rig = new SnapshotRig();
    rig.frozen.effects.changes.columns.count--;
    expect((await rejectionOf(rig.commit())).message).toContain('the changes of an epoch do not end with its epoch record');
    expect(rig.acts).toEqual(['snapshot']);
  });
});
