import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type LogFactory, offset, type OutOfRangePolicy } from '@weir/core';
import { SimulatedDisk } from '@weir/testing';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { kafka, kafkaLogOn } from './kafka-log.js';
import { checkOptions } from './options.js';
import { brokersForSpecs } from './spec/brokers.js';
import { ClusterClient, clock } from './spec/cluster-client.js';
import { FaultyWire } from './spec/faulty-wire.js';
import { JobOnKafka, numbering, produce, until } from './spec/job-on-kafka.spec-d.js';
import { KafkaJsWire } from './wire/kafkajs-wire.js';
import { ProtocolWriter } from './wire/protocol-writer.js';
import { ANY_NODE } from './wire/wire.js';

/** Whole jobs on a real cluster, in Kafka's own trouble. */
let client: ClusterClient;
let input: string;
let output: string;
const jobs: JobOnKafka[] = [];

beforeEach(async () => {
  client = new ClusterClient();
  [input, output] = [await client.topic(), await client.topic()];
});
afterEach(async () => {
  await Promise.all(jobs.splice(0).map((job) => job.stop()));
  await client.end();
});

function jobOf(...parts: ConstructorParameters<typeof JobOnKafka>): JobOnKafka {
  const job = new JobOnKafka(...parts);
  jobs.push(job);
  return job;
}

const outputsAre = (count: number): Promise<void> => until(`there are ${count} outputs`, async () => (await client.values(output)).length >= count);

const DELETE_TOPICS = { name: 'DeleteTopics', key: 20, version: 4, flexible: true };

/** Deletes a topic and creates it again, with as many records as it had. */
async function recreate(topic: string, ...values: string[]): Promise<void> {
  const former = (await client.log.describeTopic(topic))!.topicId;
  await client.wire.send(ANY_NODE, 'control', DELETE_TOPICS, new ProtocolWriter(true).count(1).string(topic).int32(30_000).tags().finish());
  await until(`${topic} is another one`, async () => {
    await client.log.ensureTopics([{ topic, partitions: 1, config: {} }]).catch(() => undefined);
    const found = await client.log.describeTopic(topic);
    return found !== undefined && found.topicId !== former;
  });
  await produce(client, topic, ...values);
}

const CREATE_PARTITIONS = { name: 'CreatePartitions', key: 37, version: 2, flexible: true };

async function addPartitions(topic: string, count: number): Promise<void> {
  const out = new ProtocolWriter(CREATE_PARTITIONS.flexible);
  out.count(1).string(topic).int32(count).count(-1).tags().int32(30_000).boolean(false).tags();
  await client.wire.send(ANY_NODE, 'control', CREATE_PARTITIONS, out.finish());
  await until(`${topic} has ${count} partitions`, async () => (await client.log.describeTopic(topic))?.partitions === count);
}

describe('trap 7: the topic is deleted below the offset that the job has committed', () => {
  async function overtaken(policy: OutOfRangePolicy): Promise<JobOnKafka> {
    const job = jobOf(numbering(input, output, policy));
    await produce(client, input, 'a', 'b', 'c');
    job.start();
    await outputsAre(3);
    await job.stop();
    await produce(client, input, 'd', 'e', 'f', 'g');
    await client.log.deleteRecordsBefore([{ topic: input, partition: 0, offset: offset(5) }]);
    job.start();
    return job;
  }

  it('fails the job by default, and says how many records are gone', async () => {
    const job = await overtaken('fail');
    const outcome = await job.job.ended;
    expect(outcome).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_RECORDS_GONE', context: { topic: input, partition: 0, offset: 3, start: 5 } } });
    expect(await client.values(output)).toEqual(['a:1', 'b:2', 'c:3']);
  });

  it('goes on at the oldest record that is there: earliest', async () => {
    const job = await overtaken('earliest');
    await outputsAre(5);
    expect(await client.values(output)).toEqual(['a:1', 'b:2', 'c:3', 'f:4', 'g:5']);
    expect(job.telemetry.of('input-reset')).toMatchObject([{ topic: input, from: 3, to: 5, policy: 'earliest' }]);
  });

  it('goes on at the end: latest', async () => {
    const job = await overtaken('latest');
    await until('it was reset', () => job.telemetry.of('input-reset').length > 0);
    await produce(client, input, 'h');
    await outputsAre(4);
    expect(await client.values(output)).toEqual(['a:1', 'b:2', 'c:3', 'h:4']);
    expect(job.telemetry.of('input-reset')).toMatchObject([{ topic: input, from: 3, to: 7, policy: 'latest' }]);
  });
});

describe('partitions added to an input', () => {
  it('are met by the next start, which says: savepoint, then restore', async () => {
    const job = jobOf(numbering(input, output));
    await produce(client, input, 'a');
    job.start();
    await outputsAre(1);
    await job.stop();
    await addPartitions(input, 3);
    // As if somebody had set the parallelism that it had: by default it follows the partitions, and is refused by itself.
    const again = jobOf(numbering(input, output), { applicationId: job.applicationId, parallelism: 1 }).start();
    const outcome = await again.ended;
    expect(outcome).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_PARTITIONS_CHANGED', context: { topic: input, recorded: 1, found: 3 } } });
    expect((outcome as { error: Error }).error.message).toMatch(/[Tt]ake a savepoint .* restore/);
  });
});

describe('an input that is deleted and created again while the job runs', () => {
  it('is not read on, although the offsets would fit: the job ends', async () => {
    const job = jobOf(numbering(input, output));
    await produce(client, input, 'a', 'b');
    job.start();
    await outputsAre(2);
    await recreate(input, 'c', 'd', 'e', 'f');
    expect(await job.job.ended).toMatchObject({ status: 'FAILED', error: { kind: 'invalid', code: 'INPUT_TOPIC_REPLACED' } });
    expect(await client.values(output)).toEqual(['a:1', 'b:2']);
  });
});

describe.each([
  ['the version that the cluster offers', 'auto'],
  ['version 1', 1],
] as const)('trap 4, with transactions of %s', (_, transactionVersion) => {
  it('is a replay, not a loss: the log aborts a transaction between its records and its commit', async () => {
    const options = { brokers: brokersForSpecs(), transactionVersion };
    const wire = new FaultyWire(new KafkaJsWire(checkOptions(options), 'spec', clock));
    const log: LogFactory = { open: (context) => Promise.resolve(kafkaLogOn(wire, options, context.clock)) };
    const job = jobOf(numbering(input, output), { checkpointing: { interval: 50, transactionTimeout: 1_000 } }, log);
    let struck = 0;
    await produce(client, input, 'a');
    job.start();
    await outputsAre(1);
    // The commit of the task waits until the log has given its transaction up: until nothing is open in the output.
    wire.fault = ({ api, body }) => (api === 'EndTxn' && body.includes(`${job.applicationId}-0-0`) && struck++ === 0 ? client.stableEnd(output) : undefined);
    await produce(client, input, 'b', 'c');
    await outputsAre(3);
    expect(struck).toBeGreaterThan(1);
    expect(await client.values(output)).toEqual(['a:1', 'b:2', 'c:3']);
    expect(job.telemetry.of('task-failed').map(({ error }) => (error as { code?: string }).code)).toContain('TRANSACTION_EXPIRED');
    expect(job.job.overview().status).toBe('RUNNING');
  });
});

describe('trap 13: the broker is down at the first start, and there are more replicas than partitions', () => {
  /** Leads to a broker: as if it stood at this port, once it is open. */
  function gate(sockets: Set<Socket>): Server {
    const [host, port] = brokersForSpecs()[0]!.split(':');
    return createServer((from) => {
      const to = connect(Number(port), host);
      for (const socket of [from, to]) sockets.add(socket.on('error', () => undefined));
      from.pipe(to).pipe(from);
    });
  }

  it('waits, says so, is not ready, and comes up when the broker does', async () => {
    const sockets = new Set<Socket>();
    const reserved = gate(sockets).listen(0, '127.0.0.1');
    await once(reserved, 'listening');
    const { port } = reserved.address() as AddressInfo;
    reserved.close();
    await once(reserved, 'close');

    await produce(client, input, 'a', 'b');
    const settings = { applicationId: `${input}-job`, group: { sessionTimeout: 6_000, rebalanceTimeout: 6_000 } };
    const log = kafka({ brokers: [`127.0.0.1:${port}`], connectionTimeoutMs: 1_000, requestTimeoutMs: 2_000 });
    const replicas = [0, 1, 2].map(() => jobOf(numbering(input, output), settings, log, new SimulatedDisk()));
    for (const replica of replicas) replica.start();
    for (const { telemetry } of replicas) {
      await until('it says that it waits', () => telemetry.of('job-waiting').some(({ reason }) => reason.startsWith('waiting for the log: ')));
    }
    expect(replicas.map(({ job }) => [job.isReady(), job.overview().status])).toEqual([0, 1, 2].map(() => [false, 'INITIALIZING']));

    const server = gate(sockets).listen(port, '127.0.0.1');
    await outputsAre(2);
    await until('all are ready', () => replicas.every(({ job }) => job.isReady()));
    expect(await client.values(output)).toEqual(['a:1', 'b:2']);
    expect(replicas.flatMap(({ job }) => job.overview().tasks.filter(({ status }) => status === 'RUNNING'))).toHaveLength(1);
    await Promise.all(replicas.map((replica) => replica.stop()));
    server.close();
    for (const socket of sockets) socket.destroy();
  });
});
