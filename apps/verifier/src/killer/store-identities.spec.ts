import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Violations } from '../judge/violation.js';
import { StoreIdentities } from './store-identities.js';

let dir: string;
let violations: Violations;
let identities: StoreIdentities;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'weir-identities-'));
  violations = new Violations();
  identities = new StoreIdentities(join(dir, 'state'), violations);
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function store(name: string, identity: string): Promise<void> {
  const folder = join(dir, 'state', 'app', '0', name);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'IDENTITY'), identity);
}

describe('identities of stores', () => {
  it('find nothing while the databases stay the same, and new ones come', async () => {
    await identities.check('before any', true);
    await store('0-0', 'one\n');
    await identities.check('first', true);
    await store('0-1', 'two\n');
    await identities.check('second', true);
    await identities.check('third', true);
    expect(violations.counts).toEqual({});
    expect(identities.count).toBe(2);
  });

  it('find a database that was made anew, and one that is gone', async () => {
    await store('0-0', 'one');
    await store('0-1', 'two');
    await identities.check('first', true);
    await store('0-0', 'another');
    await rm(join(dir, 'state', 'app', '0', '0-1'), { recursive: true });
    await identities.check('second', true);
    expect(violations.samples.map(({ detail }) => detail)).toEqual([
      'second: the database in app/0/0-0 was made anew',
      'second: the database in app/0/0-1 was removed',
    ]);
  });

  it('wait for a database whose maker died before it had a name', async () => {
    await store('0-0', '');
    await identities.check('first', true);
    await store('0-0', 'one');
    await identities.check('second', true);
    expect(violations.counts).toEqual({});
  });

  it('of a process that died before it was restored are not held against the next one, those from before are', async () => {
    await store('0-0', 'one');
    await identities.check('first', true);
    await store('0-1', 'two');
    await identities.check('second', false);
    await store('0-1', 'another');
    await identities.check('third', true);
    expect(violations.counts).toEqual({});
    await store('0-0', 'another');
    await identities.check('fourth', false);
    expect(violations.counts).toEqual({ 'store-wiped': 1 });
  });

  it('begin anew when the rig deleted the directory', async () => {
    await store('0-0', 'one');
    await identities.check('first', true);
    identities.forget();
    await store('0-0', 'another');
    await identities.check('second', true);
    expect(violations.counts).toEqual({});
  });
});
