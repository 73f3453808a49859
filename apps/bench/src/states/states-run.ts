import { type JobDefinition, type RecordColumns, RecordWriter, type StreamBuilder, topic, utf8 } from '@weir/core';
import { memory, rocksdb } from '@weir/storage';
import { CHUNK_ROWS, PhasedInput } from '../replay/phased-input.js';
import { PhasedJob } from '../replay/phased-job.js';
import { APPLICATION_ID } from '../replay/replay-log.js';
import { type CaseRun, type StateCase } from './state-case.js';
import { STATE_CASES } from './state-cases.js';

/** Where the state of a run is. */
export const STATE_PLACES = ['plain', 'memory', 'rocksdb', 'rocksdb-few-cached'] as const;
export type StatePlace = (typeof STATE_PLACES)[number];

export interface StatesSpec {
  readonly title: string;
  readonly place: StatePlace;
  readonly keys: number;
  readonly records: number;
  readonly intervalMs: number;
  readonly stateDir: string;
}

const RECORDS = 'records';
const BROADCAST = 'broadcast';
/** Where the heap holds few keys, it holds this part of them. */
const FEW_CACHED = 10;
/** Coprime to any number of keys that is not a multiple of it: neighbours in time are none in the order of keys. */
const STRIDE = 7_919;
/** Records that run before the measured ones, as a part of them. */
const WARM_UP = 4;

/** Nanoseconds of processor time per record, all threads together, up to the commit that covers the last one. */
export function runState(spec: StatesSpec): Promise<number> {
  const found = STATE_CASES.find(({ title }) => title === spec.title);
  if (found === undefined) throw new Error(`There is no case ${spec.title}.`);
  return spec.place === 'plain' ? Promise.resolve(runPlain(found, spec)) : runJob(found, spec);
}

/** So many records, keys in turn. */
function chunksOf(records: number, keys: number): RecordColumns[] {
  const chunks: RecordColumns[] = [];
  for (let n = 0; n < records; ) {
    const rows = new RecordWriter(CHUNK_ROWS * 16);
    for (; n < records && rows.count < CHUNK_ROWS; n++) {
      rows.begin(-1);
      rows.bytes.writeUtf8(`key_${(n * STRIDE) % keys}`);
      rows.valueDone();
      rows.end();
    }
    chunks.push(rows.columns);
  }
  return chunks;
}

const newRun = (): CaseRun => ({ phase: 'prepare', fired: 0, sum: 0 });

function runPlain(stateCase: StateCase, { records, keys }: StatesSpec): number {
  const run = newRun();
  const act = stateCase.plain(run);
  const over = (chunks: readonly RecordColumns[]): void => {
    for (const { buffer, count, valueStart, valueEnd } of chunks) {
      for (let row = 0; row < count; row++) act(utf8.decode(buffer, valueStart[row]!, valueEnd[row]!));
    }
  };
  over(chunksOf(keys, keys));
  run.phase = 'measure';
  over(chunksOf(records / WARM_UP, keys));
  const chunks = chunksOf(records, keys);
  const began = process.cpuUsage();
  over(chunks);
  const { user, system } = process.cpuUsage(began);
  return ((user + system) * 1_000) / records;
}

async function runJob(stateCase: StateCase, { records, keys, place, intervalMs, stateDir }: StatesSpec): Promise<number> {
  const run = newRun();
  const input = new PhasedInput(1);
  const broadcast = new PhasedInput(1);
  const definition = new CaseJob(stateCase, run);
  const cacheEntries = place === 'rocksdb-few-cached' ? Math.ceil(keys / FEW_CACHED) : keys;
  const settings = { applicationId: APPLICATION_ID, parallelism: 1, checkpointing: { interval: intervalMs }, state: { cacheEntries } };
  const inputs = { [RECORDS]: input, [BROADCAST]: broadcast };
  const job = new PhasedJob(definition, settings, place === 'memory' ? memory() : rocksdb({ dir: stateDir }), { inputs, partitions: 1 });
  const phase = async (name: string, rows: number, into: readonly PhasedInput[], isOver?: () => boolean): Promise<void> => {
    const chunks = chunksOf(rows, keys);
    const begin = (): void => into.forEach((each) => each.begin(rows, () => chunks.values()));
    await job.phase(name, { records: rows * into.length, begin, ...(isOver === undefined ? {} : { isOver }) });
  };
  await job.start('start');
  await phase('prepare', keys, definition.readsBroadcast ? [input, broadcast] : [input]);
  run.phase = 'measure';
  const measured = [stateCase.isOfBroadcast === true ? broadcast : input];
  const timersFired = (rows: number): (() => boolean) | undefined => (stateCase.awaitsTimers === true ? () => run.fired === rows : undefined);
  const warmUp = Math.floor(records / WARM_UP);
  await phase('warm up', warmUp, measured, timersFired(warmUp));
  await phase('measure', records, measured, timersFired(warmUp + records));
  const { cpuMs } = job.phases.at(-1)!;
  await job.stop();
  if (Number.isNaN(run.sum)) throw new Error(`${stateCase.title}: a value was lost.`);
  return (cpuMs * 1e6) / records;
}

class CaseJob implements JobDefinition {
  readsBroadcast = false;

  constructor(
    private readonly stateCase: StateCase,
    private readonly run: CaseRun,
  ) {}

  define(streams: StreamBuilder): void {
    const texts = (name: string) => streams.source(name, topic(name, { key: utf8, value: utf8 }));
    const broadcast = () => {
      this.readsBroadcast = true;
      return texts(BROADCAST).broadcast();
    };
    this.stateCase.define({ records: texts(RECORDS), broadcast }, this.run);
  }
}
