import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { incarnation, offset, RecordWriter, taskIndex, type StateBackendFactory, type StoreScope } from '@weir/core';
import fc from 'fast-check';
import { memory } from './memory/memory-backend.js';
import { rocksdb } from './rocksdb/rocksdb-backend.js';

/** A history: batches of changes by short keys of awkward bytes, scans, and restarts. */
const key = fc.array(fc.constantFrom(0x00, 0x01, 0x7f, 0xfe, 0xff), { maxLength: 4 }).map((values) => Buffer.from(values).toString('hex'));
const value = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const batch = fc.array(fc.tuple(key, fc.option(value)), { maxLength: 40 });
const step = fc.oneof(
  { weight: 6, arbitrary: batch.map((changes) => ({ type: 'apply' as const, changes })) },
  { weight: 3, arbitrary: key.map((prefix) => ({ type: 'scan' as const, prefix })) },
  { weight: 1, arbitrary: fc.constant({ type: 'restart' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');

async function equalsModel(factory: StateBackendFactory, applicationId: string, durable: boolean, steps: readonly Step[]): Promise<void> {
  const scope: StoreScope = { applicationId, incarnation: incarnation(0), subTopology: 0, task: taskIndex(0) };
  const model = new Map<string, string>();
  let applied = 0;
  let backend = await factory.open(1);
  let store = await backend.open(scope);
  try {
    for (const act of steps) {
      if (act.type === 'apply') {
        const writer = new RecordWriter();
        for (const [k, v] of act.changes) {
          writer.add(0, bytes(k), v === null ? null : bytes(v));
          if (v === null) model.delete(k);
          else model.set(k, v);
        }
        await store.apply(writer.columns, { offset: offset(++applied), topicId: 't', leaderEpoch: 0, writtenAt: applied });
        const found = store.getMany(act.changes.map(([k]) => bytes(k)));
        expect(found.map((v) => v?.toString('hex'))).toEqual(act.changes.map(([k]) => model.get(k)));
      } else if (act.type === 'scan') {
        const expected = [...model].filter(([k]) => k.startsWith(act.prefix)).sort(([a], [b]) => (a < b ? -1 : 1));
        const shown = [...store.scan(bytes(act.prefix))];
        expect(shown.map((entry) => [entry.key.toString('hex'), entry.value.toString('hex')])).toEqual(expected);
      } else {
        await backend.close();
        backend = await factory.open(1);
        store = await backend.open(scope);
        if (!durable) {
          model.clear();
          applied = 0;
        }
        expect(store.position?.offset).toBe(applied === 0 ? undefined : applied);
      }
    }
  } finally {
    await backend.close();
  }
}

describe('a state backend equals a plain Map, over any history of batches, scans and restarts', () => {
  it('on the heap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) => equalsModel(memory(), 'app', false, steps)),
      { numRuns: 100 },
    );
  });

  it('on RocksDB', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-state-'));
    let run = 0;
    try {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), (steps) =>
          equalsModel(rocksdb({ dir, memoryBudgetBytes: 6 * 1024 * 1024 }), `app-${run++}`, true, steps),
        ),
        { numRuns: 30 },
      );
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
