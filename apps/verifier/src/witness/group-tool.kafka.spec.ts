import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { clockOf, offset, RecordWriter, sleep, type GroupMember, type Log } from '@weir/core';
import { kafka } from '@weir/kafka';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { javaTool } from './java-kafka.js';

const TOOL = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
const LIMIT_MS = 120_000;
const clock = clockOf(globalThis);
const run = clock.newId().slice(0, 8);
const topic = `group-tool-${run}`;
const groupId = `group-tool-${run}-app`;

let broker: LocalBroker;
const logs: Log[] = [];

beforeAll(async () => {
  broker = await startBroker();
}, LIMIT_MS);

afterAll(async () => {
  for (const log of logs) await log.close();
  await broker?.stop();
}, LIMIT_MS);

async function join(clientId: string): Promise<{ log: Log; member: GroupMember }> {
  const log = await kafka({ brokers: broker.brokers.split(',') }).open({ clock, clientId });
  logs.push(log);
  const member = log.joinGroup({
    groupId,
    topics: [topic],
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    heartbeatMs: 100,
    describe: () => Buffer.from(clientId),
    // Partition 0 to the first by name, the others to the second.
    assign: (members) => {
      const names = members.map(({ data }) => data.toString()).sort();
      const partitionsOf = (name: string): number[] => (names.length === 1 ? [0, 1, 2] : name === names[0] ? [0] : [1, 2]);
      return new Map(
        members.map(({ memberId, data }) => [
          memberId,
          { partitions: partitionsOf(data.toString()).map((partition) => ({ topic, partition })), data: Buffer.from(`${members.length}`) },
        ]),
      );
    },
    onChange: () => undefined,
  });
  return { log, member };
}

/** What Kafka's own tool says, as words by line. */
async function describeGroup(...options: string[]): Promise<string[][]> {
  const [java, ...args] = await javaTool(TOOL, ['--bootstrap-server', broker.brokers, '--describe', '--group', groupId, ...options]);
  const { stdout } = await promisify(execFile)(java, args);
  return stdout.split('\n').map((line) => line.trim().split(/\s+/)).filter(([first]) => first === groupId);
}

it("Kafka's own tool shows the members of an application, their partitions and their lag", async () => {
  const a = await join('replica-a');
  await a.log.ensureTopics([{ topic, partitions: 3, config: {} }]);
  const b = await join('replica-b');
  const both = ({ member }: { member: GroupMember }): boolean => member.state.name === 'STABLE' && member.state.standing.share.toString() === '2';
  for (let i = 0; i < 4_000 && !(both(a) && both(b)); i++) await sleep(clock, 5);

  const writer = await b.log.openWriter({ transactionalId: `${groupId}-0-1`, transactionTimeoutMs: 30_000 });
  const transaction = writer.begin();
  const records = new RecordWriter();
  for (let i = 0; i < 5; i++) records.add(clock.wall(), Buffer.from('key'), Buffer.from('value'));
  await transaction.append([{ topic, partition: 1, records: records.columns }]);
  await transaction.addOffsets((await b.member.confirm()), [{ topic, partition: 1, offset: offset(2) }]);
  await transaction.commit();

  const members = await describeGroup('--members', '--verbose');
  const rows = await describeGroup();
  expect(members).toHaveLength(2);
  const assigned = new Map(members.map((words) => [words.find((word) => word.startsWith('replica-')), words.join(' ')]));
  expect([...assigned.values()].filter((line) => line.includes(`${topic}:0`) && !line.includes(`${topic}:0,1`))).toHaveLength(1);
  expect([...assigned.values()].filter((line) => line.includes(`${topic}:1,2`))).toHaveLength(1);
  const [row] = rows.filter((words) => words[1] === topic && words[2] === '1');
  // Offset 2 of 5 records and the marker of their commit.
  expect(row!.slice(3, 6)).toEqual(['2', '6', '4']);
  expect(row!.join(' ')).toContain(b.member.membership!.memberId);
}, LIMIT_MS);
