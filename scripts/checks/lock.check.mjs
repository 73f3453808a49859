// The lock file is one that `npm ci` takes on every platform.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { missingFrom } from '../complete-lock.mjs';

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));

describe('package-lock.json', () => {
  it('has every binary that a package wants for some platform (else: node scripts/complete-lock.mjs)', () => {
    assert.deepEqual(Object.keys(missingFrom(lock.packages)), []);
  });

  it('would be found incomplete', () => {
    const packages = { 'node_modules/a': { optionalDependencies: { 'a-darwin-arm64': '1.2.3' } } };
    assert.deepEqual(missingFrom(packages), { 'node_modules/a-darwin-arm64': { version: '1.2.3', optional: true, cpu: ['arm64'], os: ['darwin'] } });
  });

  it('names no host that packages came from', () => {
    assert.doesNotMatch(JSON.stringify(Object.values(lock.packages).map((entry) => entry.resolved ?? '')), /https?:/);
  });
});
