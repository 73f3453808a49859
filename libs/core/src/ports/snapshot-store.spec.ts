import { describe, expect, it } from '@jest/globals';
import { isSnapshotName } from './snapshot-store.js';

describe('the name of a snapshot', () => {
  it.each(['a', 'app/0/0-1/x.base', '..a', 'a.', '-', `${'a'.repeat(150)}/b`, 'a/b/c/d/e/f/g/h'])('may be %j', (name) => {
    expect(isSnapshotName(name)).toBe(true);
  });

  it.each(['', '/', '/a', 'a/', 'a//b', '.', '..', 'a/../b', '../a', 'a\\b', 'a b', 'a~b', 'ä', 'a\0', 'a'.repeat(151), 'a/b/c/d/e/f/g/h/i', `${'a'.repeat(149)}/`.repeat(4) + 'a'])(
    'may not be %j, which could lead out of the store or be lost on some filesystem',
    (name) => {
      expect(isSnapshotName(name)).toBe(false);
    },
  );
});
