import { changelogTopic, decodeEpochRecord, EPOCH_RECORD_KEY, type EpochRecord, incarnation, utf8 } from '@weir/core';
import { CommittedState, type InMemoryCluster, type LogRecord } from '@weir/testing';
import { COUNTING } from './counting-jobs.js';
import { APPLICATION } from './replicas.js';
import { CONTROL } from './scenario-faults.js';
import type { SimulatedReplica } from './simulated-replica.js';
import { countOf, sites, type Work } from './work.js';

/**
 * What is looked at when all is over, and nobody runs: nothing is open, what lies in the log, in the changelogs and on the disks agrees with
 * the model and with each other, and the rounds went by their rules.
 */
export interface Remains {
  readonly cluster: InMemoryCluster;
  readonly work: Work;
  readonly replicas: readonly SimulatedReplica[];
  /** Whether state recovers from the changelog. */
  readonly hasStateInChangelog: boolean;
  /** Whether nothing was compacted, so that every round and every epoch record is still there. */
  readonly hasHistory: boolean;
}

export function findingsOf(remains: Remains): string[] {
  const { work, replicas, hasStateInChangelog, hasHistory } = remains;
  const { driver } = replicas[0]!;
  return [
    ...unended(remains),
    ...work.wrongOutput(driver),
    ...(hasStateInChangelog ? [...work.wrongState(driver), ...wrongDisks(remains)] : []),
    ...differingOffsets(remains),
    ...(hasHistory ? wrongRounds(remains) : []),
  ];
}

/** No transaction is open, and every last stable offset is its high watermark. */
function unended({ cluster }: Remains): string[] {
  const open = cluster.openTransactions().map(({ transactionalId, phase }) => `the transaction of ${transactionalId} is ${phase}`);
  const unstable = partitionsOf(cluster).flatMap(([topic, partition]) => {
    const { lastStable, highWatermark } = cluster.endPosition(topic, partition);
    return lastStable === highWatermark ? [] : [`${topic}-${partition}: last stable offset ${lastStable}, high watermark ${highWatermark}`];
  });
  return [...open, ...unstable];
}

function partitionsOf(cluster: InMemoryCluster): (readonly [string, number])[] {
  return cluster.topicNames().flatMap((topic) => Array.from({ length: cluster.describeTopic(topic)!.partitions }, (_, partition) => [topic, partition] as const));
}

/** A changelog's tasks, as `sub-topology-task`, with their records. */
function changelogsOf(cluster: InMemoryCluster, stages: number): Map<string, readonly LogRecord[]> {
  const found = new Map<string, readonly LogRecord[]>();
  for (let stage = 0; stage < stages; stage++) {
    const topic = changelogTopic(APPLICATION, incarnation(0), stage);
    const partitions = cluster.describeTopic(topic)?.partitions ?? 0;
    for (let task = 0; task < partitions; task++) found.set(`${stage}-${task}`, cluster.committedRecords(topic, task));
  }
  return found;
}

const isEpochRecord = ({ key }: LogRecord): boolean => key !== null && EPOCH_RECORD_KEY.equals(key);
const epochOf = (record: LogRecord): EpochRecord => decodeEpochRecord(record.value!, record.topic);

function take(state: Map<string, Buffer>, { key, value }: LogRecord): void {
  if (value === null) state.delete(key!.toString('latin1'));
  else state.set(key!.toString('latin1'), value);
}

// ---- disks (I1, I6) ----

/** Each store holds exactly what its changelog holds below its position. What was compacted shows at the changelog's end alone. */
function wrongDisks({ cluster, replicas, work, hasHistory }: Remains): string[] {
  const changelogs = changelogsOf(cluster, work.stages);
  return replicas.flatMap(({ name, driver: { disk } }) =>
    [...disk.positions()].flatMap(([store, position]) => {
      const records = changelogs.get(store) ?? [];
      const below = records.filter(({ offset }) => offset < (position?.offset ?? 0));
      if (position === undefined || (!hasHistory && below.length < records.length)) return [];
      const expected = new Map<string, Buffer>();
      for (const record of below) take(expected, record);
      return sameEntries(expected, disk.entries(store)) ? [] : [`the store of ${store} on ${name} is not what its changelog holds below ${position.offset}`];
    }),
  );
}

function sameEntries(one: ReadonlyMap<string, Buffer>, other: ReadonlyMap<string, Buffer>): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key)?.equals(value) === true);
}

// ---- offsets (I2) ----

/** Epoch record and group offsets are committed together; where no transaction of a task is open they say the same. */
export function differingOffsets({ cluster, work }: Pick<Remains, 'cluster' | 'work'>): string[] {
  const committed = new Map(cluster.committedOffsets(APPLICATION).map(({ topic, partition, offset }) => [`${topic}-${partition}`, offset as number]));
  const open = cluster.openTransactions().map(({ transactionalId }) => transactionalId);
  return [...changelogsOf(cluster, work.stages)].flatMap(([task, records]) => {
    const last = records.filter(isEpochRecord).at(-1);
    if (last === undefined || open.some((id) => id.startsWith(`${APPLICATION}-${task}`))) return [];
    const own = epochOf(last).inputs.filter(({ topic }) => topic !== 'rules');
    return own.flatMap(({ topic, partition, offset }) => {
      const inGroup = committed.get(`${topic}-${partition}`) ?? 0;
      return inGroup === offset ? [] : [`${topic}-${partition} is at ${inGroup} in the group, and at ${offset} in the epoch record of ${task}`];
    });
  });
}

// ---- rounds (I5, R1, R3, R9) ----

interface Round {
  readonly type: 'triggered' | 'ended';
  readonly id: number;
  readonly outcome?: string;
  readonly broadcastEnds?: readonly { readonly offset: number }[];
}

function roundsOf(cluster: InMemoryCluster): Round[] {
  if (cluster.describeTopic(CONTROL) === undefined) return []; // no replica has come so far
  const records = cluster.committedRecords(CONTROL, 0).filter(({ key }) => key?.toString() === 'round');
  return records.map(({ value }) => JSON.parse(value!.toString()) as Round);
}

export const completedRounds = (cluster: InMemoryCluster): number => roundsOf(cluster).filter(({ outcome }) => outcome === 'completed').length;

function wrongRounds({ cluster, work, hasStateInChangelog }: Remains): string[] {
  const rounds = roundsOf(cluster);
  const changelogs = changelogsOf(cluster, work.stages);
  const wrong = [...wrongOrderOf(rounds), ...[...changelogs].flatMap(([task, records]) => wrongBarriers(task, records))];
  if (!work.counts || !hasStateInChangelog) return wrong;
  const completed = rounds.filter(({ outcome }) => outcome === 'completed');
  return [...wrong, ...completed.flatMap(({ id }) => wrongCut(id, rounds.find((round) => round.id === id)!, changelogs, work))];
}

/** I5: a round is triggered once the one before has ended, and each ends once. */
function wrongOrderOf(rounds: readonly Round[]): string[] {
  let open: number | undefined;
  let highest = 0;
  return rounds.flatMap(({ type, id }) => {
    const isRight = type === 'triggered' ? open === undefined && id > highest : open === id;
    highest = Math.max(highest, id);
    open = type === 'triggered' ? id : undefined;
    return isRight ? [] : [`round ${id} is ${type} out of turn (I5)`];
  });
}

/** A task's barriers never go back (R3). */
function wrongBarriers(task: string, records: readonly LogRecord[]): string[] {
  let last = 0;
  return records.filter(isEpochRecord).flatMap((record) => {
    const { barrier } = epochOf(record);
    const isRight = barrier >= last;
    last = barrier;
    return isRight ? [] : [`the barrier of ${task} goes back to ${barrier} (R3)`];
  });
}

/**
 * The cut of a completed round: what the last stage has counted is what the first has read, and every task has read the broadcast up to the
 * end that the trigger named. A task's part of the cut is its first epoch record with that barrier.
 */
function wrongCut(id: number, trigger: Round, changelogs: ReadonlyMap<string, readonly LogRecord[]>, work: Work): string[] {
  let read = 0;
  const wrong: string[] = [];
  const states: Map<string, Buffer>[] = [];
  for (const [task, records] of changelogs) {
    const at = records.findIndex((record) => isEpochRecord(record) && epochOf(record).barrier === id);
    if (at === -1) return [`round ${id} is complete without barrier ${id} of ${task}`];
    for (const { topic, offset } of epochOf(records[at]!).inputs) {
      if (topic === 'readings') read += offset;
      if (topic === 'rules' && offset !== trigger.broadcastEnds?.[0]?.offset) wrong.push(`round ${id}: ${task} has read the rules up to ${offset}, not to the trigger's end (R9)`);
    }
    if (task.startsWith(`${work.stages - 1}-`)) states.push(stateUpTo(records, at));
  }
  const state = new CommittedState(states, COUNTING, utf8, 128);
  const counted = sites().reduce((sum, site) => sum + (countOf(state, site) ?? 0), 0);
  return counted === read ? wrong : [...wrong, `the cut of round ${id} is torn: ${read} readings were read, and ${counted} counted (R1)`];
}

function stateUpTo(records: readonly LogRecord[], end: number): Map<string, Buffer> {
  const state = new Map<string, Buffer>();
  for (const record of records.slice(0, end)) take(state, record);
  return state;
}

