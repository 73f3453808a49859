import { describe, expect, it } from '@jest/globals';
import { canMoveStandby, type StandbyStatus } from './standby-status.js';

const ALL: Readonly<Record<StandbyStatus, true>> = { OPENING: true, CATCHING_UP: true, FOLLOWING: true, PROMOTED: true, CLOSED: true, FAILED: true };
const STATUSES = Object.keys(ALL) as StandbyStatus[];

describe('the life of a standby', () => {
  it('has these moves and no others', () => {
    const nextOf = (from: StandbyStatus): StandbyStatus[] => STATUSES.filter((to) => canMoveStandby(from, to));
    expect(Object.fromEntries(STATUSES.map((from) => [from, nextOf(from)]))).toEqual({
      OPENING: ['CATCHING_UP', 'PROMOTED', 'CLOSED', 'FAILED'],
      CATCHING_UP: ['FOLLOWING', 'PROMOTED', 'CLOSED', 'FAILED'],
      FOLLOWING: ['PROMOTED', 'CLOSED', 'FAILED'],
      PROMOTED: [],
      CLOSED: [],
      FAILED: [],
    });
  });
});
