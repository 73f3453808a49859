import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ClusterClient, uniqueName } from '../spec/cluster-client.js';
import { CODE } from '../wire/error-codes.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';

let client: ClusterClient;
let topic: string;

beforeEach(async () => {
  client = new ClusterClient();
  topic = await client.topic();
});
afterEach(() => client.end());

const answer = (code: number): Buffer => Buffer.concat(new ProtocolWriter(false).int32(0).count(1).string(topic).int16(code).finish());

describe('the deletion of topics', () => {
  it.each(['NOT_CONTROLLER', 'REQUEST_TIMED_OUT', 'NONE'] as const)('is asked for again until the topic is gone: after %s', async (name) => {
    client.wire.strike({ name: APIS.deleteTopics.name }, answer(CODE[name]), 1);
    await client.log.deleteTopics([topic]);
    expect(await client.log.describeTopic(topic)).toBeUndefined();
    expect(client.wire.count(APIS.deleteTopics)).toBeGreaterThanOrEqual(1);
  });

  it.each(['TOPIC_DELETION_DISABLED', 'TOPIC_AUTHORIZATION_FAILED'] as const)('is refused with what the cluster says, and deletes nothing: %s', async (name) => {
    client.wire.strike({ name: APIS.deleteTopics.name }, answer(CODE[name]), 1);
    await expect(client.log.deleteTopics([topic])).rejects.toMatchObject({ kind: 'invalid', message: expect.stringContaining(`Deletion of topic ${topic} was refused with ${name}`) });
    expect(await client.log.describeTopic(topic)).toMatchObject({ partitions: 1 });
  });

  it('asks for nothing where there is nothing', async () => {
    await client.log.deleteTopics([]);
    await client.log.deleteTopics([uniqueName('never-there')]);
    expect(client.wire.count(APIS.deleteTopics)).toBe(0);
  });
});
