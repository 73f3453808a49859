import { beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { Violations } from '../judge/violation.js';
import type { JavaWitness } from '../witness/java-witness.js';
import { CutCheck } from './cut-check.js';

let violations: Violations;
let clock: ManualClock;
/** What a witness would say. */
let said: { changelogs: number; epochs: Map<number, unknown>; offsets: Map<number, number> };
let check: CutCheck;

const epoch = (...inputs: readonly (readonly [number, number])[]) => ({
  inputs: inputs.map(([partition, offset]) => ({ topic: 'in', partition, offset })),
});

beforeEach(() => {
  violations = new Violations();
  clock = new ManualClock();
  said = {
    changelogs: 2,
    epochs: new Map([
      [0, epoch([0, 5], [2, 7])],
      [1, epoch([1, 6])],
    ]),
    offsets: new Map([
      [0, 5],
      [1, 6],
      [2, 7],
    ]),
  };
  const witness = {
    ends: () => Promise.resolve(Array.from({ length: said.changelogs })),
    last: () => Promise.resolve(new Map([...said.epochs].map(([partition, value]) => [partition, Buffer.from(JSON.stringify(value))]))),
    groupOffsets: () => Promise.resolve(said.offsets),
  } as unknown as JavaWitness;
  check = new CutCheck(witness, { group: 'g', stages: [{ changelog: 'log', inputs: ['in'], broadcasts: [] }] }, clock, violations);
});

async function run(): Promise<void> {
  const done = check.check('after life 1');
  await clock.advance(6_000);
  await done;
}

describe('the check of a cut', () => {
  it('finds nothing where epoch records and group say the same', async () => {
    await run();
    expect(violations.none).toBe(true);
    expect(check.cuts).toBe(1);
  });

  it('finds nothing before the first commit, and before there is a changelog', async () => {
    said.epochs = new Map();
    said.offsets = new Map();
    await run();
    said.changelogs = 0;
    await run();
    expect(violations.none).toBe(true);
  });

  it('finds offsets that are behind, ahead, or on one side alone', async () => {
    said.offsets = new Map([
      [0, 4],
      [1, 9],
      [3, 1],
    ]);
    await run();
    expect(violations.samples).toEqual([
      {
        rule: 'cut-torn',
        detail:
          'after life 1: in-0 is at 4 in the group, and at 5 in the epoch record; ' +
          'in-1 is at 9 in the group, and at 6 in the epoch record; ' +
          'in-2 is at no offset in the group, and at 7 in the epoch record; ' +
          'in-3 is at 1 in the group, and at no offset in the epoch record',
      },
    ]);
  });

  it('finds offsets of a group without any epoch record', async () => {
    said.epochs = new Map();
    await run();
    expect(violations.counts).toEqual({ 'cut-torn': 1 });
  });

  it('waits for markers that are on their way', async () => {
    said.offsets = new Map([
      [0, 4],
      [1, 6],
      [2, 7],
    ]);
    const done = check.check('after life 1');
    await clock.advance(1_000);
    said.offsets.set(0, 5);
    await clock.advance(1_000);
    await done;
    expect(violations.none).toBe(true);
  });
});
