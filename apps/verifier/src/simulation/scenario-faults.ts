import { changelogTopic, controlTopic, coordinatorId, incarnation, WeirError } from '@weir/core';
import { type FaultPoint, type InMemoryCluster, type InMemorySnapshots, LOG_CALLS, type ManualClock, type PlannedFault, touches } from '@weir/testing';
import { APPLICATION, type Replicas } from './replicas.js';
import { KILL_POINTS, type KillPoint, type ScenarioFault } from './scenario.js';

/** Lets the faults of a scenario strike; and takes back, at the end, what has not struck. */
export interface Struck {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  readonly snapshots: InMemorySnapshots;
  readonly replicas: Replicas;
  readonly stages: number;
  readonly transactionTimeoutMs: number;
  /** Runs something at a later moment of the run. */
  readonly later: (afterMs: number, act: () => Promise<void>) => void;
}

export const CONTROL = controlTopic(APPLICATION);

/** Of Kafka's whole way there and back. */
export const ALL_POINTS: readonly FaultPoint[] = LOG_CALLS.flatMap((call) => [`${call}:send` as const, `${call}:applied` as const]);
/** Requests whose loss a client may tell its caller of, and those whose answer it asks for until it has it. */
const FAILING: readonly FaultPoint[] = ['fetch:send', 'append:send', 'addOffsets:send', 'endPositions:send', 'epochEnd:send', 'openWriter:send', 'publish:send', 'describeTopic:send', 'deleteRecords:send'];
const LOSING: readonly FaultPoint[] = ALL_POINTS.filter((point) => !point.startsWith('fetch:'));

const unreachable = (): Error => new WeirError('retry', 'PLANNED', 'The simulation cuts this request off.');

export async function strike(fault: ScenarioFault, on: Struck): Promise<void> {
  const { clock, cluster, snapshots, replicas } = on;
  const { faults } = cluster;
  const now = clock.monotonic();
  switch (fault.type) {
    case 'kill':
      return replicas.kill(fault.replica);
    case 'kill-at':
      return killAt(fault.point, fault.skip, on);
    case 'kill-coordinator':
      faults.at('commit:send', { type: 'kill' }, { when: ({ transactionalId }) => transactionalId === coordinatorId(APPLICATION), skip: fault.skip });
      return;
    case 'kill-in-snapshot':
      snapshots.faults.at('create:half', { type: 'kill' }, { skip: fault.skip });
      return;
    case 'zombie':
      return replicas.pause(fault.replica, now + fault.forMs);
    case 'stop':
      return replicas.stop(fault.replica);
    case 'join':
      return replicas.add();
    case 'rebalance-storm':
      return replicas.storm(fault.every);
    case 'partition':
      return cutOff(replicas.nameOf(fault.replica), fault.forMs, on);
    case 'lose-replies':
      return until(fault.forMs, on, faults.randomly({ points: LOSING, probability: fault.probability, action: () => ({ type: 'lose' }) }));
    case 'log-fails':
      return until(fault.forMs, on, faults.randomly({ points: FAILING, probability: fault.probability, action: () => ({ type: 'fail', error: unreachable() }) }));
    case 'late-request':
      faults.at('append:send', { type: 'late', ms: fault.lateMs, error: unreachable() }, { skip: fault.skip });
      return;
    case 'expire-transaction':
      faults.at('addOffsets:send', { type: 'delay', ms: on.transactionTimeoutMs + 100 });
      return;
    case 'leader-move':
      for (const topic of cluster.topicNames()) if (topic.startsWith(`${APPLICATION}-`)) cluster.moveLeader(topic, 0);
      return;
    case 'compaction':
      for (const topic of cluster.topicNames()) if (topic === CONTROL || topic.endsWith('-changelog')) cluster.compact(topic);
      return;
    case 'clock-jump':
      clock.setWall(clock.wall() + fault.byMs);
      return;
    case 'disk-full':
      return replicas.at(fault.replica).driver.disk.failApply(new Error('no space left on device'), fault.skip);
    case 'disk-lost':
    case 'disk-damaged':
    case 'disk-stale':
      return damageDisk(fault, on);
  }
}

function killAt(point: KillPoint, skip: number, { cluster, stages }: Struck): void {
  const changelogs = Array.from({ length: stages }, (_, stage) => changelogTopic(APPLICATION, incarnation(0), stage));
  const when = point === 'mid-restore' ? changelogs.map(touches) : [];
  const filter = when.length === 0 ? {} : { when: (facts: Parameters<(typeof when)[number]>[0]) => when.some((each) => each(facts)) };
  cluster.faults.at(KILL_POINTS[point], { type: 'kill' }, { skip, ...filter });
}

/** Nothing of a replica reaches the log, nor an answer the replica, until it is over. */
function cutOff(name: string, forMs: number, on: Struck): void {
  const { clock, cluster } = on;
  const end = clock.monotonic() + forMs;
  const action = () => ({ type: 'delay', ms: Math.max(1, end - clock.monotonic()) }) as const;
  until(forMs, on, cluster.faults.randomly({ points: ALL_POINTS, probability: 1, when: ({ clientId }) => clientId === name && clock.monotonic() < end, action }));
}

function until(forMs: number, { later }: Struck, fault: PlannedFault): void {
  later(forMs, () => Promise.resolve(fault.remove()));
}

async function damageDisk(fault: Extract<ScenarioFault, { readonly type: 'disk-lost' | 'disk-damaged' | 'disk-stale' }>, { replicas, later }: Struck): Promise<void> {
  const replica = replicas.at(fault.replica);
  if (fault.type === 'disk-stale') {
    const image = replica.driver.disk.image();
    later(fault.afterMs, async () => {
      await replicas.kill(fault.replica);
      if (replica.phase.name === 'DOWN') replica.restoreDisk(image);
    });
    return;
  }
  await replicas.kill(fault.replica);
  if (fault.type === 'disk-lost') replica.driver.disk.wipe();
  else replica.damage();
}
