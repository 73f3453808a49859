import { describe, expect, it } from '@jest/globals';
import { incarnation, taskIndex, type StoreScope } from '@weir/core';
import { destroyedPath, storePath } from './store-path.js';

const SCOPE: StoreScope = { applicationId: 'temperature-alerts', incarnation: incarnation(2), subTopology: 1, task: taskIndex(3) };

describe('the directory of a store', () => {
  it('is named by application, incarnation, sub-topology and task', () => {
    expect(storePath('/data', SCOPE)).toBe('/data/temperature-alerts/2/1-3');
    expect(destroyedPath(storePath('/data', SCOPE))).toBe('/data/temperature-alerts/2/1-3.destroyed');
  });

  it.each(['a', 'A.b_c-9', '...', '..a', 'a'.repeat(100)])('takes the application id %j', (applicationId) => {
    expect(storePath('/data', { ...SCOPE, applicationId })).toBe(`/data/${applicationId}/2/1-3`);
  });

  const tricks = ['', '.', '..', '../x', 'a/b', '/etc', 'a\\b', 'a b', 'a\n', 'a\0', 'ä', 'a'.repeat(101)];
  it.each(tricks)('refuses the application id %j', (applicationId) => {
    expect(() => storePath('/data', { ...SCOPE, applicationId })).toThrow(/STATE_SCOPE_INVALID/);
  });

  it('refuses numbers that are none', () => {
    expect(() => storePath('/data', { ...SCOPE, incarnation: incarnation(-1) })).toThrow(/incarnation .* -1 came/);
    expect(() => storePath('/data', { ...SCOPE, subTopology: 1.5 })).toThrow(/subTopology/);
    expect(() => storePath('/data', { ...SCOPE, task: '../1' as never })).toThrow(/task/);
  });
});
