import { describe, expect, it } from '@jest/globals';
import { offset, type StorePosition } from '@weir/core';
import fc from 'fast-check';
import { checkPosition, decodePosition, encodePosition } from './store-position.js';

const POSITION: StorePosition = { offset: offset(0x1_2345_6789), leaderEpoch: 7, writtenAt: 1_700_000_000_123, topicId: 'Zq1-ü' };
const GOLDEN = `01${'0000000123456789'}${'00000007'}${'4278bcfe5687b000'}${'5a71312dc3bc'}`;

describe('the binary form of a position', () => {
  it('is, byte for byte, that of version 1', () => {
    expect(encodePosition(POSITION).toString('hex')).toBe(GOLDEN);
    expect(decodePosition(Buffer.from(GOLDEN, 'hex'))).toEqual(POSITION);
  });

  it('comes back as it was, for every position that can be', () => {
    const positions = fc.record({
      offset: fc.maxSafeNat().map(offset),
      leaderEpoch: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
      writtenAt: fc.double({ noNaN: true, noDefaultInfinity: true }).filter((at) => !Object.is(at, -0)),
      topicId: fc.string({ unit: 'grapheme' }),
    });
    fc.assert(fc.property(positions, (position) => expect(decodePosition(encodePosition(position))).toEqual(position)));
  });

  it.each([
    ['', 'version none'],
    [`02${GOLDEN.slice(2)}`, 'version 2'],
    [GOLDEN.slice(0, 40), '20 bytes'],
    [`01ffffffffffffffff${GOLDEN.slice(18)}`, 'cannot be'],
    [`${GOLDEN.slice(0, 26)}7ff8000000000000${GOLDEN.slice(42)}`, 'cannot be'],
  ])('is refused with the reason when the bytes are %s', (hex, reason) => {
    expect(() => decodePosition(Buffer.from(hex, 'hex'))).toThrow(reason);
  });
});

describe('a position before it is written', () => {
  const check = (given: Partial<StorePosition>): void => checkPosition('app/0/0-0', POSITION, { ...POSITION, ...given });
  const checkInNewStore = (given: Partial<StorePosition>): void => checkPosition('app/0/0-0', undefined, { ...POSITION, ...given });

  it('may stay, move on, and be anything in a new store', () => {
    check({});
    check({ offset: offset(POSITION.offset + 1), leaderEpoch: -1, writtenAt: 0 });
    checkInNewStore({ offset: offset(0), topicId: 'another' });
  });

  it('may not fall below what the store holds, nor be of another log', () => {
    expect(() => check({ offset: offset(POSITION.offset - 1) })).toThrow(/up to offset 4886718345 .* set it to offset 4886718344/);
    expect(() => check({ topicId: 'another' })).toThrow(/STATE_POSITION_REGRESSED/);
  });

  it.each([
    { offset: offset(-1) },
    { offset: offset(0.5) },
    { offset: offset(2 ** 53) },
    { leaderEpoch: 2 ** 31 },
    { leaderEpoch: 0.5 },
    { writtenAt: Number.NaN },
    { writtenAt: Infinity },
  ])('may not be %j', (given) => {
    expect(() => checkInNewStore(given)).toThrow(/STATE_POSITION_INVALID/);
  });
});
