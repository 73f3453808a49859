// The local broker: three ways to one, data that outlives a kill, and nothing left behind however its parent ends.
// Needs what it is about: a Java and, the first time, Maven. Each case has a temporary folder of its own to look for leftovers in.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import { whyNoneAnswers } from '../broker/answers.mjs';
import { NoBrokerError, startBroker } from '../local-broker.mjs';

const COMMAND = fileURLToPath(new URL('../broker.mjs', import.meta.url));
const PATIENCE_MS = 30_000;
const scratch = mkdtempSync(join(tmpdir(), 'weir-check-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** @returns {string} a folder for one case */
const folder = () => mkdtempSync(join(scratch, 'case-'));
/** @param {string} brokers */
const answers = async (brokers) => (await whyNoneAnswers(brokers, 1_000)).length === 0;

/**
 * @param {() => boolean | Promise<boolean>} holds
 * @param {string} what
 */
async function eventually(holds, what) {
  for (const deadline = performance.now() + PATIENCE_MS; performance.now() < deadline; await sleep(50)) if (await holds()) return;
  assert.fail(`not within ${PATIENCE_MS} ms: ${what}`);
}

/** @param {string} tmp */
const leftovers = (tmp) => readdirSync(tmp).filter((name) => name.startsWith('weir-broker-'));

/**
 * `node scripts/broker.mjs` with its temporary files in `tmp`.
 * @param {string} tmp
 */
async function startCommand(tmp) {
  const { KAFKA_BROKERS: _, ...env } = process.env;
  const child = spawn(process.execPath, [COMMAND], { env: { ...env, TMPDIR: tmp }, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  await eventually(() => /^KAFKA_BROKERS=/m.test(said) || child.exitCode !== null, 'the command says where its broker is');
  const brokers = /^KAFKA_BROKERS=(.*)$/m.exec(said)?.[1] ?? '';
  assert.ok(await answers(brokers), `no broker answers; the command said: ${said}`);
  const [name] = leftovers(tmp);
  const supervisor = Number(readFileSync(join(tmp, String(name), 'owner'), 'utf8'));
  return { child, brokers, supervisor };
}

describe('a broker of our own', () => {
  it('keeps its port and its data when it is killed, paused and restarted, and leaves nothing when it stops', async () => {
    const tmp = folder();
    const broker = await startBroker({ own: true, env: { ...process.env, TMPDIR: tmp } });
    const { brokers } = broker;
    const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin();
    try {
      await admin.connect();
      await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3 }], waitForLeaders: true });
      await broker.kill();
      assert.ok(!(await answers(brokers)), 'a killed broker answers');
      await broker.restart();
      assert.ok(await answers(brokers));
      await broker.pause();
      assert.ok(!(await answers(brokers)), 'a paused broker answers');
      await broker.resume();
      await eventually(() => answers(brokers), 'a resumed broker answers');
      await broker.restart();
      await eventually(async () => (await admin.listTopics().catch(() => [''])).includes('kept'), 'the topic is there after two restarts');
      assert.equal(broker.brokers, brokers);
    } finally {
      await admin.disconnect().catch(() => undefined);
      await broker.stop();
    }
    assert.ok(!(await answers(brokers)));
    assert.deepEqual(leftovers(tmp), []);
    await broker.stop();
    await assert.rejects(broker.restart(), /was stopped/);
  });

  it('runs beside another one; given as KAFKA_BROKERS it is not ours to end', async () => {
    const both = await Promise.all([startBroker({ own: true }), startBroker({ own: true })]);
    try {
      assert.notEqual(both[0].brokers, both[1].brokers);
      for (const { brokers } of both) assert.ok(await answers(brokers));

      const given = await startBroker({ env: { KAFKA_BROKERS: `127.0.0.1:1, ${both[0].brokers}` } });
      assert.equal(given.way, 'given');
      await assert.rejects(given.kill(), /not ours/);
      await given.stop();
      assert.ok(await answers(both[0].brokers));
    } finally {
      await Promise.all(both.map((broker) => broker.stop()));
    }
  });
});

describe('the broker command', () => {
  /** @type {[how: string, end: (started: Awaited<ReturnType<typeof startCommand>>) => void][]} */
  const ends = [
    ['is told to end', ({ child }) => child.kill('SIGINT')],
    ['is killed', ({ child }) => child.kill('SIGKILL')],
    ['loses its supervisor', ({ supervisor }) => process.kill(supervisor, 'SIGKILL')],
  ];
  for (const [how, end] of ends) {
    it(`takes its broker along when it ${how}`, async () => {
      const tmp = folder();
      const started = await startCommand(tmp);
      end(started);
      await eventually(async () => !(await answers(started.brokers)), 'the broker is gone');
      if (!how.includes('supervisor')) await eventually(() => leftovers(tmp).length === 0, 'the scratch folder is gone');
      if (how.includes('told')) await eventually(() => started.child.exitCode === 0, 'the command ends with exit code 0');
      started.child.kill('SIGKILL');
    });
  }

  it('takes its broker along when it is killed together with its supervisor; the next one sweeps the folder', async (test) => {
    if (!existsSync('/usr/bin/setpriv')) return test.diagnostic('no setpriv here: such a broker would go on');
    const tmp = folder();
    const { child, brokers, supervisor } = await startCommand(tmp);
    child.kill('SIGKILL');
    process.kill(supervisor, 'SIGKILL');
    await eventually(async () => !(await answers(brokers)), 'the broker is gone');
    const next = await startCommand(tmp);
    next.child.kill('SIGTERM');
    await eventually(() => leftovers(tmp).length === 0, 'both scratch folders are gone');
  });
});

describe('the way to a broker', () => {
  it('ends at KAFKA_BROKERS if nothing answers there as Kafka does', async () => {
    const stranger = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise((resolve) => stranger.listen(0, '127.0.0.1', () => resolve(undefined)));
    const address = /** @type {import('node:net').AddressInfo} */ (stranger.address());
    const tried = startBroker({ env: { ...process.env, KAFKA_BROKERS: `nonsense,127.0.0.1:1,127.0.0.1:${address.port}` } });
    await assert.rejects(tried, (/** @type {Error} */ error) => {
      for (const part of ['"nonsense" is not host:port', '127.0.0.1:1: ECONNREFUSED', 'not as Kafka does', 'unset it']) {
        assert.ok(error.message.includes(part), `"${part}" is missing in: ${error.message}`);
      }
      return true;
    });
    stranger.close();
  });

  it('is said to be missing for each of the three', async () => {
    await assert.rejects(startBroker({ env: { PATH: '/nowhere' } }), (error) => {
      assert.ok(error instanceof NoBrokerError);
      for (const part of ['KAFKA_BROKERS', 'not set', 'JAVA_HOME is not set', 'no java on PATH', 'no docker on PATH']) {
        assert.ok(error.message.includes(part), `"${part}" is missing in: ${error.message}`);
      }
      return true;
    });
  });

  it('is not a Java that is too old', async () => {
    const bin = folder();
    program(join(bin, 'java'), '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n');
    await assert.rejects(startBroker({ env: { PATH: `${bin}${delimiter}/bin` } }), /is Java 11/);
  });

  it('is docker compose where there is no Java, and the same is done there to the service', async () => {
    const bin = folder();
    program(join(bin, 'docker'), `#!${process.execPath}\n${FAKE_DOCKER}`);
    const broker = await startBroker({ own: true, env: { PATH: bin, CALLS: join(bin, 'calls') } });
    assert.equal(broker.way, 'docker');
    assert.ok(await answers(broker.brokers));
    await broker.kill();
    assert.ok(!(await answers(broker.brokers)));
    await broker.restart();
    assert.ok(await answers(broker.brokers));
    await broker.pause();
    await broker.resume();
    await broker.stop();
    assert.ok(!(await answers(broker.brokers)));
    const calls = readFileSync(join(bin, 'calls'), 'utf8').trim().split('\n');
    assert.deepEqual(calls, ['up', 'kill', 'unpause', 'stop', 'up', 'pause', 'unpause', 'kill', 'down']);
  });
});

/**
 * @param {string} file
 * @param {string} text
 */
function program(file, text) {
  writeFileSync(file, text);
  chmodSync(file, 0o755);
}

/** Docker as far as compose's way needs it: `up` starts something that answers as Kafka does, until `kill`, `stop` or `down`. */
const FAKE_DOCKER = `
const { spawn } = require('node:child_process');
const { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const args = process.argv.slice(2);
if (args[0] === 'info' || args[1] === 'version') process.exit(0);
const act = args.find((arg) => /^(up|kill|stop|down|pause|unpause)$/.test(arg));
const { CALLS, WEIR_BROKER_PORT } = process.env;
appendFileSync(CALLS, act + '\\n');
if (act === 'up') {
  const server = spawn(process.execPath, ['-e', \`
    const { createServer } = require('node:net');
    const answer = Buffer.from([0, 0, 0, 6, 0x57, 0x45, 0x49, 0x52, 0, 0]);
    const server = createServer((socket) => socket.on('data', () => socket.write(answer)));
    server.listen(\${WEIR_BROKER_PORT}, '127.0.0.1', () => console.log('up'));
    setTimeout(() => process.exit(), 60000);
  \`], { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  writeFileSync(CALLS + '.pid', String(server.pid));
  server.stdout.once('data', () => process.exit(0));
} else if (/kill|stop|down/.test(act) && existsSync(CALLS + '.pid')) {
  process.kill(Number(readFileSync(CALLS + '.pid', 'utf8')), 'SIGKILL');
  rmSync(CALLS + '.pid');
}
`;
