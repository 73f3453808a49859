import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { type PartitionerName, PARTITIONERS } from '../model/partitioner.js';
import { PlacementCheck } from './placement-check.js';

const PARTITIONS = 4;
const place = (name: PartitionerName, key: Buffer): number => PARTITIONERS[name](key, 0, key.length, PARTITIONS);
/** Keys that both partitioners, or only one of them, put where they lie. */
const keys = Array.from({ length: 50 }, (_, i) => Buffer.from(`key-${i}`));
const telling = keys.filter((key) => place('murmur2', key) !== place('crc32', key));
const silent = keys.filter((key) => place('murmur2', key) === place('crc32', key));

const check = (partitioner: 'auto' | PartitionerName, partitions = PARTITIONS): PlacementCheck => new PlacementCheck('readings', partitions, { partitioner });

describe('auto', () => {
  it.each(['murmur2', 'crc32'] as const)('settles on %s with the first key that tells, and then takes no other', (name) => {
    const other = name === 'murmur2' ? 'crc32' : 'murmur2';
    const auto = check('auto');
    for (const key of silent) auto.check(key, place(name, key), 0);
    expect(auto.settled).toBeUndefined();
    auto.check(telling[0]!, place(name, telling[0]!), 0);
    expect(auto.settled).toBe(name);
    for (const key of keys) auto.check(key, place(name, key), 0);
    const thrown = thrownBy(() => auto.check(telling[1]!, place(other, telling[1]!), 17));
    expect([thrown.code, thrown.kind]).toEqual(['KEY_ELSEWHERE', 'invalid']);
    expect(thrown.message).toContain(`declared alreadyPartitioned (auto, by earlier keys ${name})`);
    expect(thrown.message).toContain(`where ${other} would put it`);
  });

  it('refuses the first key that nobody would have put where it lies', () => {
    const [key] = telling;
    const nowhere = [0, 1, 2, 3].find((partition) => partition !== place('murmur2', key!) && partition !== place('crc32', key!))!;
    const thrown = thrownBy(() => check('auto').check(key!, nowhere, 3));
    expect(thrown.message).toContain(
      `no known partitioner would put it (murmur2 puts it into partition ${place('murmur2', key!)}, crc32 puts it into partition ${place('crc32', key!)})`,
    );
    expect(thrown.message).toContain('declared alreadyPartitioned (auto)');
  });

  it('never settles on a topic with one partition, where everything fits', () => {
    const auto = check('auto', 1);
    for (const key of keys) auto.check(key, 0, 0);
    expect(auto.settled).toBeUndefined();
  });

  it('begins with what an earlier run settled on', () => {
    const auto = check('auto');
    auto.adopt('crc32');
    expect(auto.settled).toBe('crc32');
    expect(thrownBy(() => auto.check(telling[0]!, place('murmur2', telling[0]!), 0)).code).toBe('KEY_ELSEWHERE');
  });

  it('stays open where an earlier run had not settled, or on what does not exist any more', () => {
    const auto = check('auto');
    auto.adopt(undefined);
    auto.adopt('fnv1a' as PartitionerName);
    expect(auto.settled).toBeUndefined();
  });

  it('does not change its mind for what another task had recorded', () => {
    const auto = check('auto');
    auto.check(telling[0]!, place('murmur2', telling[0]!), 0);
    auto.adopt('crc32');
    expect(auto.settled).toBe('murmur2');
  });
});

describe('a declared partitioner', () => {
  it('is kept to from the first key on, and recorded as it is', () => {
    const declared = check('crc32');
    for (const key of keys) declared.check(key, place('crc32', key), 0);
    expect(declared.settled).toBe('crc32');
    declared.adopt('murmur2');
    expect(declared.settled).toBe('crc32');
  });

  it('names record, key, and the partitioner that would fit when a key lies elsewhere', () => {
    const [key] = telling;
    const partition = place('crc32', key!);
    const thrown = thrownBy(() => check('murmur2').check(key!, partition, 17));
    expect(thrown.message).toBe(
      `keyBy on readings is declared alreadyPartitioned (murmur2), and key "${String(key)}" (${key!.length} bytes) lies in partition ${partition} (offset 17), ` +
        'where crc32 would put it. Declare the partitioner that the producer uses, produce with the same key, or drop alreadyPartitioned, so that Weir shuffles. [KEY_ELSEWHERE]',
    );
  });

  it('shows keys that are not text in hexadecimal', () => {
    const key = Buffer.from('fffe8001', 'hex');
    const elsewhere = (place('murmur2', key) + 1) % PARTITIONS;
    expect(thrownBy(() => check('murmur2').check(key, elsewhere, 0)).message).toContain('key hex fffe8001 (4 bytes) lies');
  });

  it('may be a function, which is asked with the bytes and the partitions of the topic', () => {
    const asked: unknown[] = [];
    const byLength = new PlacementCheck('readings', PARTITIONS, {
      partitioner: (data, start, end, partitions) => {
        asked.push([Buffer.from(data.subarray(start, end)).toString(), partitions]);
        return (end - start) % partitions;
      },
    });
    byLength.check(Buffer.from('abc'), 3, 0);
    expect(asked).toEqual([['abc', 4]]);
    expect(byLength.settled).toBeUndefined();
    expect(thrownBy(() => byLength.check(Buffer.from('abc'), 2, 0)).message).toContain('declared alreadyPartitioned (a function of yours)');
  });
});

describe('keys of every sort', () => {
  it.each(['', '00000000', 'fffe8001', 'c3bc'])('are checked by their bytes: %j', (hex) => {
    const key = Buffer.from(hex, 'hex');
    for (const name of ['murmur2', 'crc32'] as const) {
      check(name).check(key, place(name, key), 0);
      expect(thrownBy(() => check(name).check(key, (place(name, key) + 1) % PARTITIONS, 0)).code).toBe('KEY_ELSEWHERE');
    }
  });
});
