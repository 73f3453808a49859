import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import type { StateBackendFactory } from '@weir/core';
import { filesystem, memory, rocksdb } from '@weir/storage';
import { KEYS, KINDS, LARGE_KEYS, OPERATOR_KINDS, USER_KEYS } from '@weir/testing/conformance';
import { CUTS, StatesOnKafka } from './states-on-kafka.spec-d.js';

/**
 * What the conformance suite of state does on the in-memory log (libs/testing), on a real cluster: one job for each backend, with every
 * kind of state on keys of every sort, told as one story.
 */
const BACKENDS: readonly (readonly [name: string, make: (dir: string) => StateBackendFactory])[] = [
  ['memory', () => memory()],
  ['rocksdb', (dir) => rocksdb({ dir, memoryBudgetBytes: 12 * 1024 * 1024 })],
  ['filesystem', (dir) => filesystem({ dir })],
];
const LIMIT_MS = 180_000;

function brokersForSpecs(): string[] {
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '') throw new Error('KAFKA_BROKERS is not set: this spec needs a Kafka broker, e.g. KAFKA_BROKERS=127.0.0.1:9092');
  return brokers.split(',');
}

describe.each(BACKENDS)('state of every kind on %s and Kafka', (name, make) => {
  it(
    'is the same before and after a checkpoint, a crash at each step of a commit, and restores with local files and without',
    async () => {
      const dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
      const remove = (): Promise<void> => rm(dir, { recursive: true, force: true });
      // Its snapshots are the only copy of the state: it has no local files beside them.
      const wipe = name === 'filesystem' ? (): Promise<void> => Promise.resolve() : remove;
      const rig = await StatesOnKafka.start(brokersForSpecs(), { factory: make(dir), wipe, dispose: remove });
      try {
        for (const userKey of USER_KEYS) await rig.rule({ act: 'put', userKey });
        await rig.pipe(12, KEYS);
        await rig.verify();
        for (const withoutFiles of [false, true]) {
          for (const cut of CUTS) {
            await rig.pipe(3, KEYS);
            await rig.dieAt(cut, withoutFiles);
            await rig.pipe(1, KEYS, { operator: 'states', kind: 'map', act: 'entries' });
            await rig.verify();
          }
          await rig.rule({ act: withoutFiles ? 'clear' : 'remove', userKey: 'x' });
          await rig.pipe(1, KEYS, { operator: 'states', kind: 'broadcast', act: 'entries' });
        }
        await rig.verify();
        for (const withoutFiles of [false, true]) {
          await rig.pipe(2, KEYS, { operator: 'fading' });
          await rig.verify();
          await rig.expireWhileDown(withoutFiles);
          for (const kind of KINDS) await rig.pipe(1, KEYS, { operator: 'fading', kind, act: 'get' });
          for (const kind of OPERATOR_KINDS) await rig.pipe(1, ['a', 'b'], { operator: 'lists', kind, act: 'get' });
          await rig.verify();
        }
        for (const kind of KINDS) await rig.pipe(1, LARGE_KEYS, { operator: 'states', kind, act: MAKES[kind], userKey: LARGE_KEYS[0]! });
        await rig.verify();
        await rig.crash(true);
        for (const kind of KINDS) await rig.pipe(1, [LARGE_KEYS[0]!], { operator: 'states', kind, act: 'get', userKey: LARGE_KEYS[1]! });
        await rig.pipe(1, [LARGE_KEYS[1]!], { operator: 'states', kind: 'map', act: 'get', userKey: LARGE_KEYS[0]! });
        await rig.verify();
      } finally {
        await rig.end();
        await remove();
      }
      expect(rig.model.operations).toBeGreaterThan(500);
    },
    LIMIT_MS,
  );
});

/** What gives a kind something to keep. */
const MAKES = { value: 'update', list: 'add', map: 'put', reducing: 'add', aggregating: 'add' } as const;
