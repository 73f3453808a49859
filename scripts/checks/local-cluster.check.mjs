// The local cluster: three nodes that know each other, one of which may be gone, and nothing left behind.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, logLevel } from 'kafkajs';
import { whyNoneAnswers } from '../broker/answers.mjs';
import { startCluster } from '../local-cluster.mjs';

const PATIENCE_MS = 60_000;
const scratch = mkdtempSync(join(tmpdir(), 'weir-check-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/**
 * @param {() => Promise<boolean>} holds
 * @param {string} what
 */
async function eventually(holds, what) {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(200)) if (await holds().catch(() => false)) return;
  assert.fail(`not within ${PATIENCE_MS} ms: ${what}`);
}

/** @param {string} address */
const answers = async (address) => (await whyNoneAnswers(address, 1_000)).length === 0;

describe('a cluster of our own', () => {
  it('keeps every partition three times, goes on without any one node, and leaves nothing when it stops', async () => {
    const cluster = await startCluster({ env: { ...process.env, TMPDIR: scratch } });
    const admin = new Kafka({ brokers: cluster.brokers.split(','), logLevel: logLevel.NOTHING, retry: { retries: 30 } }).admin();
    /** @param {number} count */
    const inSync = async (count) => {
      const { topics } = await admin.fetchTopicMetadata({ topics: ['kept'] });
      return topics[0]?.partitions.every(({ isr, leader }) => isr.length === count && leader >= 0) ?? false;
    };
    try {
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3, replicationFactor: -1 }], waitForLeaders: true });
      await eventually(() => inSync(3), 'every partition lies on three nodes');
      const [first, second] = cluster.nodes;
      assert.ok(first !== undefined && second !== undefined);
      await first.kill();
      assert.ok(!(await answers(first.address)), 'a killed node answers');
      await eventually(() => inSync(2), 'the other two lead all partitions');
      await first.start();
      assert.ok(await answers(first.address));
      await eventually(() => inSync(3), 'the killed node is back');
      await second.pause();
      assert.ok(!(await answers(second.address)), 'a paused node answers');
      await second.resume();
      await second.shutDown();
      await second.start();
      await eventually(() => inSync(3), 'the node that was shut down is back');
    } finally {
      await admin.disconnect().catch(() => undefined);
      await cluster.stop();
    }
    for (const { address } of cluster.nodes) assert.ok(!(await answers(address)), 'a node of a stopped cluster answers');
    assert.deepEqual(readdirSync(scratch).filter((name) => name.startsWith('weir-broker-')), []);
  });

  it('is said to be missing where there is no Java', async () => {
    await assert.rejects(startCluster({ env: { PATH: '/nowhere' } }), /no way to a cluster of brokers here\. It needs Java 17.*no java on PATH/);
  });
});
