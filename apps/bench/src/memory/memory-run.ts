import type { JobDefinition } from '@weir/core';
import { rocksdb } from '@weir/storage';
import { numbers, PhasedInput } from '../replay/phased-input.js';
import { PhasedJob } from '../replay/phased-job.js';
import { APPLICATION_ID } from '../replay/replay-log.js';
import { ADD, CollectionsJob, GET, ITERATE, PUT } from './collections.js';
import { INPUT, KeyedOperations, KeyedValuesJob, type NextOperation } from './keyed-values.js';
import type { MemoryResult, MemorySpec } from './memory-spec.js';

/** One process of the study: a job with RocksDB. */
export function runMemory(spec: MemorySpec): Promise<MemoryResult> {
  return spec.part === 'collections' ? runCollections(spec) : runValues(spec);
}

async function runValues(spec: MemorySpec): Promise<MemoryResult> {
  const { keys, parallelism, records, part, seed } = spec;
  const fillRows = keys / parallelism;
  const rows = Math.ceil(records / parallelism);
  const input = new PhasedInput(parallelism, part === 'fill' ? 0 : fillRows + rows * 2);
  const operations = new KeyedOperations(keys, parallelism, seed);
  const job = jobOf(spec, new KeyedValuesJob(), input);
  const phase = (name: string, rowsEach: number, next: NextOperation): Promise<void> =>
    job.phase(name, { records: rowsEach * parallelism, begin: () => input.begin(rowsEach, (partition) => numbers(rowsEach, () => next(partition))) });
  if (part === 'fill') {
    await job.start('start');
    await phase('fill', fillRows, operations.fill);
    await phase('update at random', rows, operations.update);
  } else {
    operations.replayUpdates(rows);
    await job.start('restart with local files');
  }
  await phase('read at random', rows, operations.check);
  return resultOf(job);
}

async function runCollections(spec: MemorySpec): Promise<MemoryResult> {
  const { keys: entries } = spec;
  const input = new PhasedInput(1);
  const job = jobOf({ ...spec, parallelism: 1 }, new CollectionsJob(entries), input);
  const phase = (name: string, rows: number, operation: number): Promise<void> =>
    job.phase(name, { records: rows, operations: entries, begin: () => input.begin(rows, () => numbers(rows, () => operation)) });
  await job.start('start');
  await phase('put into the map', entries, PUT);
  await phase('iterate over the map', 1, ITERATE);
  await phase('add to the list', entries, ADD);
  await phase('iterate over the map again', 1, ITERATE);
  await phase('get the list', 1, GET);
  return resultOf(job);
}

function jobOf({ parallelism, intervalMs, cacheEntries, budgetBytes, stateDir, ends }: MemorySpec, definition: JobDefinition, input: PhasedInput): PhasedJob {
  const settings = { applicationId: APPLICATION_ID, parallelism, checkpointing: { interval: intervalMs }, state: { cacheEntries } };
  return new PhasedJob(definition, settings, rocksdb({ dir: stateDir, memoryBudgetBytes: budgetBytes }), { inputs: { [INPUT]: input }, partitions: parallelism, ends });
}

async function resultOf(job: PhasedJob): Promise<MemoryResult> {
  await job.stop();
  return { phases: job.phases, ends: job.ends };
}
