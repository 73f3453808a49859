import { beforeEach, describe, expect, it } from '@jest/globals';
import type { JobOverview, RestoreOverview } from '@weir/core';
import { Violations } from '../judge/violation.js';
import { checkTails, RestoreLedger } from './restore-ledger.js';

/** A job with one task for each restore. */
function job(completed: number, ...restores: readonly (Partial<RestoreOverview> | undefined)[]): JobOverview {
  const tasks = restores.map((restore, task) => ({
    subTopology: 0,
    task,
    restore:
      restore === undefined
        ? undefined
        : { fromLocalState: true, rebuildReason: undefined, records: 0, remaining: 0, etaMs: 0, ...restore },
  }));
  return { checkpoints: { completed }, tasks } as unknown as JobOverview;
}

const NEW = { fromLocalState: false, records: 0 };
const LOCAL = { fromLocalState: true, records: 0 };

let violations: Violations;
let ledger: RestoreLedger;

beforeEach(() => {
  violations = new Violations();
  ledger = new RestoreLedger(true, violations);
});

describe('the ledger of restores', () => {
  it('finds nothing in lives that begin anew once, and then read their stores', () => {
    ledger.restored(1, job(0, NEW, NEW));
    ledger.seen(job(3, NEW, NEW));
    ledger.restored(2, job(0, LOCAL, { records: 40 }));
    ledger.restored(3, job(0, LOCAL, LOCAL));
    expect(violations.counts).toEqual({});
    expect(ledger.tails).toEqual([
      { life: 2, task: '0-0', records: 0 },
      { life: 2, task: '0-1', records: 40 },
      { life: 3, task: '0-0', records: 0 },
      { life: 3, task: '0-1', records: 0 },
    ]);
    expect(ledger).toMatchObject({ restores: 6, records: 40 });
  });

  it('finds a store that was given up, by the reason that the service tells', () => {
    ledger.restored(1, job(0, { fromLocalState: false, rebuildReason: 'its position is beyond the end' }));
    expect(violations.samples).toEqual([{ rule: 'store-wiped', detail: 'life 1, task 0-0: its position is beyond the end' }]);
  });

  it('finds a store that was built anew in silence, though a former life had filled it', () => {
    ledger.restored(1, job(0, NEW, NEW));
    ledger.seen(job(1, NEW, NEW));
    ledger.restored(2, job(0, LOCAL, { ...NEW, records: 500 }));
    expect(violations.counts).toEqual({ 'store-wiped': 1 });
    expect(violations.samples[0]!.detail).toContain('life 2, task 0-1');
  });

  it('knows that a store restored from the changelog is filled, though no checkpoint was seen', () => {
    ledger.restored(1, job(0, { ...NEW, records: 10 }));
    ledger.restored(2, job(0, { ...NEW, records: 10 }));
    expect(violations.counts).toEqual({ 'store-wiped': 1 });
  });

  it('expects nothing of a life before the first checkpoint', () => {
    ledger.restored(1, job(0, NEW));
    ledger.seen(job(0, NEW));
    ledger.seen(undefined);
    ledger.restored(2, job(0, NEW));
    expect(violations.counts).toEqual({});
  });

  it('begins anew when the state directory was deleted', () => {
    ledger.restored(1, job(0, NEW));
    ledger.seen(job(9, NEW));
    ledger.forget();
    ledger.restored(2, job(0, { ...NEW, records: 2_000 }));
    expect(violations.counts).toEqual({});
    expect(ledger.tails).toEqual([]);
    ledger.restored(3, job(0, { ...NEW, records: 2_000 }));
    expect(violations.counts).toEqual({ 'store-wiped': 1 });
  });

  it('holds no tail against a life whose predecessor died amidst a long restore', () => {
    ledger.restored(1, job(0, NEW));
    ledger.forget();
    // Life 2 was killed while it restored: nobody saw it RUNNING, and its store holds a part of the changelog.
    ledger.restored(3, job(0, { records: 1_500 }));
    expect(ledger.tails).toEqual([]);
  });

  it('lets nothing be restored after a stop in order', () => {
    ledger.restored(1, job(0, LOCAL));
    ledger.stoppedInOrder();
    ledger.restored(2, job(0, { records: 1 }));
    expect(violations.counts).toEqual({ 'restore-long': 1 });
    ledger.restored(3, job(0, { records: 1 }));
    expect(violations.counts).toEqual({ 'restore-long': 1 });
  });

  it('finds a task that runs and says nothing of its restore', () => {
    ledger.restored(1, job(0, undefined));
    expect(violations.counts).toEqual({ 'restore-long': 1 });
  });

  it('expects no stores of a backend that ends with its process', () => {
    const heap = new RestoreLedger(false, violations);
    for (let life = 1; life < 4; life++) {
      heap.restored(life, job(0, { ...NEW, records: 3_000 }));
      heap.seen(job(9, NEW));
    }
    expect(violations.counts).toEqual({});
    expect(heap.records).toBe(9_000);
  });

  it('finds a tail that is longer than the largest epoch', () => {
    checkTails(
      [
        { life: 2, task: '0-0', records: 500 },
        { life: 3, task: '0-1', records: 501 },
      ],
      500,
      violations,
    );
    expect(violations.samples).toEqual([
      { rule: 'restore-long', detail: 'life 3, task 0-1: 501 records restored, and the largest epoch has 500' },
    ]);
  });
});
