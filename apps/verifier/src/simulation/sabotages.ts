import {
  type Clock,
  decodeEpochRecord,
  isWeirError,
  type Log,
  type LogChunk,
  type LogReader,
  type LogTransaction,
  type LogWriter,
  offset,
  type Offset,
  type RecordColumns,
  RecordWriter,
} from '@weir/core';
import { type Ports, sabotage } from '../sabotaged/sabotage.js';
import { over, wrapLog, wrapTransactions, type WrapTransaction } from '../sabotaged/wrap-ports.js';
import type { SimulatedJob } from './work.js';

/**
 * The steps of the protocol that a simulation breaks on purpose, through the ports, never in the product: it must find each of them. Those of
 * the rig (../sabotaged) and those that only simulated time can show.
 */
export const SIMULATION_SABOTAGES = {
  'no-fencing': { job: undefined, what: 'each process writes under transactional ids of its own' },
  'offsets-apart': { job: undefined, what: "the group's offsets in a transaction of their own, after the other" },
  'outputs-apart': { job: undefined, what: 'the outputs in a transaction of their own, before the state' },
  'store-early': { job: 'alerts', what: 'the store written before the transaction commits' },
  'store-hollow': { job: 'alerts', what: "the store's position written without the data" },
  'epoch-dropped': { job: undefined, what: 'the epoch record left out of the changelog' },
  'shuffle-apart': { job: 'two-stages', what: 'repartition records in a transaction of their own, before the others' },
  'barrier-lost': { job: 'two-stages', what: 'no barrier in one of the repartition partitions' },
  'purged-early': { job: 'two-stages', what: 'repartition topics purged up to their end, not below the last commit' },
  'not-renewed': { job: undefined, what: 'the producer used on after an indefinite error, without InitProducerId' },
  'r1-off': { job: 'two-stages', what: 'the end of a round believed as soon as a task has committed its barrier (R1)' },
  'barriers-forgotten': { job: 'two-stages', what: 'the barriers of upstream tasks left out of the epoch record' },
  'control-unread': { job: undefined, what: 'the control topic not read to its end after InitProducerId (I3)' },
} as const satisfies Record<string, { readonly job: SimulatedJob | undefined; readonly what: string }>;

export type SimulationSabotage = keyof typeof SIMULATION_SABOTAGES;
/**
 * Not found in a hundred seeds and more: what these would break is mended by the way, for a round in which a task went down is abandoned (R4). They run
 * by name alone. Specs of core that see them: R3 in round-rules.sim.spec.ts, and I3 in task.spec.ts.
 */
export const HIDING_SABOTAGES: readonly SimulationSabotage[] = ['barriers-forgotten', 'control-unread'];
export const SIMULATION_SABOTAGE_NAMES = Object.keys(SIMULATION_SABOTAGES) as readonly SimulationSabotage[];

export function sabotagedPorts(name: SimulationSabotage | undefined, ports: Ports, clock: Clock, ownId: string): Ports {
  const { log, state } = ports;
  switch (name) {
    case undefined:
      return ports;
    case 'purged-early':
      return { log: wrapLog(log, purgedEarly), state };
    case 'not-renewed':
      return { log: wrapLog(log, notRenewed), state };
    case 'r1-off':
      return { log: wrapLog(log, endsForged), state };
    case 'barriers-forgotten':
      return { log: wrapTransactions(log, barriersForgotten), state };
    case 'control-unread':
      return { log: wrapLog(log, controlUnread), state };
    default:
      return sabotage(name, ports, clock, ownId);
  }
}

const isControl = (topic: string): boolean => topic.endsWith('-control');

const purgedEarly = (log: Log): Partial<Log> => ({
  deleteRecordsBefore: async (partitions) => {
    const ends = await log.endPositions(partitions);
    await log.deleteRecordsBefore(partitions.map((at, i) => ({ ...at, offset: ends[i]!.highWatermark })));
  },
});

/**
 * An attempt that follows another one in the same process goes on with its producer, as long as nobody has fenced that: what was sent before
 * and is late belongs to the next transaction then.
 */
function notRenewed(log: Log): Partial<Log> {
  const writers = new Map<string, LogWriter>();
  return {
    openWriter: async (options) => {
      const { transactionalId } = options;
      const kept = writers.get(transactionalId);
      if (kept !== undefined) return kept;
      const writer = await log.openWriter(options);
      let open: LogTransaction | undefined;
      const watched = async <T>(work: Promise<T>): Promise<T> => {
        try {
          return await work;
        } catch (thrown) {
          if (isWeirError(thrown, 'fenced')) writers.delete(transactionalId);
          throw thrown;
        }
      };
      const begin = (): LogTransaction => {
        const transaction = writer.begin();
        open = transaction;
        return over(transaction, {
          append: (appends) => watched(transaction.append(appends)),
          addOffsets: (group, offsets) => watched(transaction.addOffsets(group, offsets)),
          commit: () => watched(transaction.commit()),
        });
      };
      const lasting = over(writer, { begin, close: async () => open?.abort().catch(() => undefined) });
      writers.set(transactionalId, lasting);
      return lasting;
    },
  };
}

/** Only the ends that `readToEnd` asks for: what the topic begins with is read all the same. */
function controlUnread(log: Log): Partial<Log> {
  return {
    endPositions: async (partitions) => {
      const ends = await log.endPositions(partitions);
      return ends.map((end) => (isControl(end.topic) ? { ...end, highWatermark: end.start } : end));
    },
  };
}

// ---- the epoch record ----

/** In the columns themselves, so that the store gets what the changelog gets. */
const barriersForgotten: WrapTransaction = (transaction) => ({
  append: (appends) => {
    for (const { topic, records } of appends) if (topic.endsWith('-changelog')) forgetBarriers(topic, records);
    return transaction.append(appends);
  },
});

function forgetBarriers(topic: string, records: RecordColumns): void {
  const last = records.count - 1;
  const record = decodeEpochRecord(records.value(last)!, topic);
  const inputs = record.inputs.map((input) => ({ ...input, barriers: input.barriers.map(() => 0) }));
  const value = Buffer.from(JSON.stringify({ ...record, inputs }));
  records.valueStart[last] = records.buffer.length;
  records.valueEnd[last] = records.buffer.length + value.length;
  records.buffer = Buffer.concat([records.buffer, value]);
}

// ---- rounds ----

/**
 * Tells this process that a round has ended, once one of its tasks has committed since the trigger: behind the record that triggered it, the
 * reader of the control topic hands out one that nobody wrote.
 */
function endsForged(log: Log): Partial<Log> {
  const open: { round: number | undefined; wake: () => void } = { round: undefined, wake: () => undefined };
  let committed: number | undefined;
  return {
    openWriter: async (options) => {
      const writer = await log.openWriter(options);
      if (options.transactionalId.endsWith('-coordinator')) return writer;
      return over(writer, {
        begin: () => {
          const transaction = writer.begin();
          const during = open.round;
          return over(transaction, {
            commit: async () => {
              await transaction.commit();
              if (during === undefined) return;
              committed = during;
              open.wake();
            },
          });
        },
      });
    },
    openReader: (options) => {
      const reader = log.openReader(options);
      let at: Offset | undefined;
      const take: LogReader['take'] = () => {
        if (at !== undefined && committed !== undefined && committed === open.round) {
          open.round = undefined;
          return forgedEnd(committed, at);
        }
        const chunk = reader.take();
        if (chunk === undefined || !isControl(chunk.topic)) return chunk;
        at = chunk.nextOffset;
        open.wake = options.wake;
        const newest = newestRound(chunk);
        if (newest !== undefined) open.round = newest.isOpen ? newest.id : undefined;
        return chunk;
      };
      return over(reader, { take });
    },
  };
}

/** The newest round of a chunk; undefined if it says nothing of rounds. */
function newestRound({ records }: LogChunk): { readonly id: number; readonly isOpen: boolean } | undefined {
  let newest: { readonly id: number; readonly isOpen: boolean } | undefined;
  for (let row = 0; row < records.count; row++) {
    if (records.key(row)?.toString() !== 'round') continue;
    const { type, id } = JSON.parse(records.value(row)!.toString()) as { readonly type: string; readonly id: number };
    newest = { id, isOpen: type === 'triggered' };
  }
  return newest;
}

function forgedEnd(id: number, at: Offset): LogChunk {
  const writer = new RecordWriter();
  writer.add(0, Buffer.from('round'), Buffer.from(JSON.stringify({ version: 1, type: 'ended', id, at: 0, outcome: 'abandoned', durationMs: 0 })));
  return { topic: 'forged-control', partition: 0, records: writer.columns, nextOffset: offset(at), lastStable: offset(at) };
}
