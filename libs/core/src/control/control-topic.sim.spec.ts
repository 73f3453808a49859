import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { columnsOf, InMemoryCluster, LIFELIKE, ManualClock } from '@weir/testing';
import { checkpointId, offset } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import type { Log, LogWriter } from '../ports/log.js';
import { type ControlRecord, type TaskReport, writeRound } from './control-record.js';
import { ControlTopic } from './control-topic.js';

const TOPIC = 'app-control';
const report = (task: string, barrier: number): TaskReport => ({ version: 1, task, replica: 'r', status: 'RUNNING', barrier: checkpointId(barrier), at: 0 });
const nameOf = (record: ControlRecord): string => {
  if (record.type === 'report') return `${record.report.task} at ${record.report.barrier}`;
  return record.type === 'round' ? `${record.round.type} ${record.round.id}` : record.type;
};

let clock: ManualClock;
let cluster: InMemoryCluster;
let log: Log;
let told: string[];
let failures: Error[];
let opened: ControlTopic[];

beforeEach(() => {
  clock = new ManualClock({ seed: 5 });
  cluster = new InMemoryCluster({ ...LIFELIKE, clock, seed: 5 });
  cluster.createTopic(TOPIC, 1, { 'cleanup.policy': 'compact' });
  log = cluster.log({ clock, clientId: 'app' });
  told = [];
  failures = [];
  opened = [];
});
afterEach(async () => {
  for (const control of opened) await clock.settled(control.close());
});

async function open(): Promise<ControlTopic> {
  const control = await clock.settled(
    ControlTopic.open({ log, clock, topic: TOPIC, onChange: (record) => told.push(nameOf(record)), onFailure: (error) => failures.push(error) }),
  );
  opened.push(control);
  return control;
}

const coordinator = (): Promise<LogWriter> => clock.settled(log.openWriter({ transactionalId: 'app-coordinator', transactionTimeoutMs: 10_000 }));

async function trigger(writer: LogWriter, id: number): Promise<void> {
  const out = new RecordWriter();
  writeRound(out, { version: 1, type: 'triggered', id: checkpointId(id), at: 0, broadcastEnds: [] });
  const transaction = writer.begin();
  await clock.settled(transaction.append([{ topic: TOPIC, partition: 0, records: out.columns }]));
  await clock.settled(transaction.commit());
  await clock.waitUntil(() => cluster.openTransactions().length === 0); // its markers come later than the answer
}

describe('the control topic', () => {
  it('has what was there before in its view once it is open, and tells only of what comes then (T1)', async () => {
    const writer = await coordinator();
    await trigger(writer, 3);
    const control = await open();
    expect([control.view.round?.id, told]).toEqual([3, []]);
    await trigger(writer, 4);
    await clock.advance(100);
    expect([control.view.round?.id, told]).toEqual([4, ['triggered 4']]);
  });

  it('brings reports to every replica, in their order, this one included (T3)', async () => {
    const [control, other] = [await open(), await open()];
    for (let i = 1; i <= 5; i++) control.report(report('0-0', i));
    control.report(report('0-1', 1));
    await clock.advance(200);
    const expected = ['0-0 at 1', '0-0 at 2', '0-0 at 3', '0-0 at 4', '0-0 at 5', '0-1 at 1'];
    expect(told.sort()).toEqual([...expected, ...expected].sort());
    expect(other.view.reportOf('0-0')?.barrier).toBe(5);
  });

  it('reads to its end behind a transaction that is still open, for it may hold a round (T2, I3)', async () => {
    const control = await open();
    const writer = await coordinator();
    const out = new RecordWriter();
    writeRound(out, { version: 1, type: 'triggered', id: checkpointId(9), at: 0, broadcastEnds: [] });
    const transaction = writer.begin();
    await clock.settled(transaction.append([{ topic: TOPIC, partition: 0, records: out.columns }]));
    let read = false;
    const reading = control.readToEnd().then(() => (read = true));
    await clock.advance(1_000);
    expect(read).toBe(false);
    await clock.settled(transaction.commit());
    await clock.settled(reading);
    expect(control.view.round?.id).toBe(9);
  });

  it('opens although a dead coordinator has left a transaction open, which only its successor can end', async () => {
    const dead = await coordinator();
    await trigger(dead, 8);
    const out = new RecordWriter();
    writeRound(out, { version: 1, type: 'ended', id: checkpointId(8), at: 0, outcome: 'completed', durationMs: 1 });
    await clock.settled(dead.begin().append([{ topic: TOPIC, partition: 0, records: out.columns }]));
    const before = clock.monotonic();
    const control = await open();
    expect([control.view.round?.id, clock.monotonic() - before < 1_000]).toEqual([8, true]);
    const reading = control.readToEnd();
    await coordinator();
    await clock.settled(reading);
    expect(clock.monotonic() - before).toBeLessThan(5_000); // the transaction would time out after 10 s
  });

  it('sends a report again until it is there, and those behind it after it (T3)', async () => {
    const control = await open();
    cluster.faults.at('publish:send', { type: 'lose' }, { times: 3 });
    control.report(report('0-0', 1));
    control.report(report('0-0', 2));
    await clock.advance(1_000);
    expect([told, failures]).toEqual([['0-0 at 1', '0-0 at 2'], []]);
  });

  it('sends what was reported before it closes', async () => {
    const control = await open();
    control.report(report('0-0', 7));
    await clock.settled(control.close());
    expect(cluster.committedRecords(TOPIC, 0).map(({ key }) => key?.toString())).toEqual(['task/0-0']);
    await expect(clock.settled(control.readToEnd())).rejects.toMatchObject({ code: 'CONTROL_CLOSED' });
  });

  it('fails for good on a record that it cannot read, and says which', async () => {
    const control = await open();
    cluster.produce(TOPIC, 0, columnsOf([{ key: 'round', value: 'rubbish' }]));
    await clock.advance(100);
    expect(failures.map(({ message }) => message)).toEqual([expect.stringContaining('The record "round" in control topic app-control-0 cannot be read')]);
    expect(control.view.round).toBeUndefined();
    await expect(control.reached(offset(1_000))).rejects.toBe(failures[0]);
  });

  it('is not opened over a record that it cannot read', async () => {
    cluster.produce(TOPIC, 0, columnsOf([{ key: 'round', value: 'rubbish' }]));
    await expect(open()).rejects.toMatchObject({ code: 'CONTROL_RECORD_UNREADABLE' });
  });
});
