import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SeededRandom } from '@weir/testing';

/**
 * Spoils what a dead process left on its disk, as disks and people do: the state directory is deleted, or one file of a database in it is
 * damaged: overwritten in the middle, or cut in half. Whoever starts next must notice, or not be harmed by it.
 */
export type Spoiled = 'state deleted' | 'state damaged';

/** Files of a RocksDB database that hold what was written: tables, write-ahead logs, and which of them count. */
const WORTH_DAMAGING = /(\.sst|\.log|\/MANIFEST-\d+|\/CURRENT)$/;
const MOST_DAMAGED_BYTES = 256;

/** @returns undefined if there was nothing to spoil */
export async function spoil(stateDir: string, random: SeededRandom): Promise<Spoiled | undefined> {
  const names = await readdir(stateDir, { recursive: true }).catch((): string[] => []);
  if (names.length === 0) return undefined;
  if (random.chance(0.3)) {
    await rm(stateDir, { recursive: true, force: true });
    return 'state deleted';
  }
  const files: string[] = [];
  for (const name of names.map((each) => join(stateDir, each)).sort()) {
    if (WORTH_DAMAGING.test(name) && (await stat(name)).size > 0) files.push(name);
  }
  if (files.length === 0) return undefined;
  await damage(files[random.between(0, files.length - 1)]!, random);
  return 'state damaged';
}

async function damage(path: string, random: SeededRandom): Promise<void> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    if (random.chance(0.3)) return await file.truncate(Math.floor(size / 2));
    const from = random.between(0, size - 1);
    const junk = Buffer.from(Array.from({ length: Math.min(MOST_DAMAGED_BYTES, size - from) }, () => random.between(0, 255)));
    await file.write(junk, 0, junk.length, from);
  } finally {
    await file.close();
  }
}
