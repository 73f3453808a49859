// One broker for the demo, the tests and the benchmarks, by the first of three ways that this machine has:
//   1. KAFKA_BROKERS, checked to answer. Somebody else's: never stopped, killed or restarted from here.
//   2. Kafka from Maven Central on a Java of this machine: one process on free ports of 127.0.0.1, data in a scratch folder.
//   3. docker compose, where a Docker engine answers.
// No way: an error that says for each of the three what was missing.
//
// Invariants
//   L1. A broker of ours ends with the process that started it, however that ends: a supervisor process holds the broker, and a
//       channel to us that closes with us. Should the supervisor be killed, we kill the broker; should both be, the system does
//       so (where `setpriv` is there).
//   L2. Any number of brokers run side by side: each has its own ports, folder and supervisor. They share only the jars.
//   L3. A broker that was started does not keep its starter's event loop alive; a call on it does, until it is answered.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { whyNoneAnswers } from './broker/answers.mjs';
import { whyNoDocker } from './broker/docker-broker.mjs';
import { findJars, findJava } from './broker/java-kafka.mjs';

/** @typedef {import('./local-broker.d.mts').LocalBroker} LocalBroker */
/** @typedef {import('./broker/supervisor.mjs').Act} Act */
/** @typedef {import('./broker/supervisor.mjs').Plan} Plan */
/** @typedef {(line: string) => void} Log */

const SUPERVISOR = fileURLToPath(new URL('./broker/supervisor.mjs', import.meta.url));
const GIVEN_LIMIT_MS = 5_000;

export class NoBrokerError extends Error {
  /** @param {readonly [string, string, string]} missing */
  constructor([given, java, docker]) {
    super(
      'There is no Kafka broker, and no way to start one. Any of these three would do:\n' +
        `  1. KAFKA_BROKERS=host:port of a broker that runs: ${given}.\n` +
        `  2. Java 17 or later, and once Maven, which fetches Kafka: ${java}.\n` +
        `  3. docker compose with a Docker engine: ${docker}.`,
    );
    this.name = 'NoBrokerError';
  }
}

/** @type {typeof import('./local-broker.d.mts').startBroker} */
export async function startBroker(options = {}) {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => undefined);
  const given = env['KAFKA_BROKERS']?.trim() ?? '';
  if (given !== '' && options.own !== true) return useGiven(given);

  const java = await tryJava(env, log);
  if ('found' in java) return java.found;
  const docker = await tryDocker(env, log);
  if ('found' in docker) return docker.found;
  const notGiven = options.own === true ? 'set or not, not used for a broker that is to be killed and restarted' : 'not set';
  throw new NoBrokerError([notGiven, java.missing, docker.missing]);
}

/**
 * @param {string} brokers
 * @returns {Promise<LocalBroker>}
 */
async function useGiven(brokers) {
  const reasons = await whyNoneAnswers(brokers, GIVEN_LIMIT_MS);
  if (reasons.length > 0) {
    throw new Error(
      `KAFKA_BROKERS is "${brokers}", and no Kafka broker answers there (${reasons.join('; ')}). ` +
        'Start that broker, correct the variable, or unset it to have a local broker started.',
    );
  }
  const notOurs = async () => {
    throw new Error(
      `The broker at ${brokers} was given by KAFKA_BROKERS and is not ours to stop, kill or pause. ` +
        'startBroker({ own: true }) starts one that is.',
    );
  };
  return { brokers, way: 'given', restart: notOurs, kill: notOurs, pause: notOurs, resume: notOurs, stop: async () => undefined };
}

/**
 * @param {import('./broker/java-kafka.mjs').Env} env
 * @param {Log} log
 * @returns {Promise<{ found: LocalBroker } | { missing: string }>}
 */
async function tryJava(env, log) {
  const java = await findJava(env);
  if ('missing' in java) return java;
  const jars = await findJars(env, log);
  if ('missing' in jars) return jars;
  return attempt({ way: 'java', java: java.found, lib: jars.found }, env, log);
}

/**
 * @param {import('./broker/java-kafka.mjs').Env} env
 * @param {Log} log
 * @returns {Promise<{ found: LocalBroker } | { missing: string }>}
 */
async function tryDocker(env, log) {
  const missing = await whyNoDocker(env);
  return missing === undefined ? attempt({ way: 'docker' }, env, log) : { missing };
}

/**
 * @param {Plan} plan
 * @param {import('./broker/java-kafka.mjs').Env} env
 * @param {Log} log
 * @returns {Promise<{ found: LocalBroker } | { missing: string }>}
 */
async function attempt(plan, env, log) {
  const broker = new SupervisedBroker(plan, env, log);
  try {
    return { found: await broker.open() };
  } catch (error) {
    await broker.stop();
    return { missing: error instanceof Error ? error.message : String(error) };
  }
}

/** @implements {LocalBroker} */
class SupervisedBroker {
  /** @type {LocalBroker['way']} */
  way;
  brokers = '';
  #supervisor;
  #log;
  /** @type {number | undefined} the broker's own process, should the supervisor leave us with it (L1) */
  #pid;
  #asked = 0;
  /** @type {Map<number, { resolve: (value: string | undefined) => void, reject: (error: Error) => void }>} */
  #waiting = new Map();
  /** @type {'open' | 'stopping' | 'stopped'} */
  #state = 'open';
  /** @type {Promise<void> | undefined} */
  #stopping;

  /**
   * @param {Plan} plan
   * @param {import('./broker/java-kafka.mjs').Env} env
   * @param {Log} log
   */
  constructor(plan, env, log) {
    this.way = plan.way;
    this.#log = log;
    const { NODE_OPTIONS: _, ...clean } = env; // jest's flags are not the supervisor's
    this.#supervisor = fork(SUPERVISOR, [JSON.stringify(plan)], {
      detached: true,
      execArgv: [],
      env: clean,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.#supervisor.on('message', (message) => this.#answered(/** @type {import('./broker/supervisor.mjs').Reply} */ (message)));
    this.#supervisor.on('error', () => this.#orphaned());
    this.#supervisor.on('exit', () => this.#orphaned());
    this.#supervisor.unref();
    this.#supervisor.channel?.unref();
  }

  async open() {
    this.brokers = (await this.#ask('open')) ?? '';
    return this;
  }

  async restart() {
    await this.#ask('terminate');
    await this.#ask('start');
  }

  async kill() {
    await this.#ask('kill');
  }

  async pause() {
    await this.#ask('pause');
  }

  async resume() {
    await this.#ask('resume');
  }

  async stop() {
    this.#stopping ??= this.#close();
    await this.#stopping;
  }

  async #close() {
    if (this.#state !== 'open') return;
    await this.#ask('destroy').catch((error) => this.#log(`the local broker did not stop in order: ${error.message}`));
    if (this.#state !== 'open') return;
    this.#state = 'stopping';
    this.#supervisor.disconnect();
  }

  /**
   * @param {Act} act
   * @returns {Promise<string | undefined>}
   */
  #ask(act) {
    if (this.#state !== 'open') return Promise.reject(new Error(`Cannot ${act} the local broker: it was stopped.`));
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#supervisor.channel?.ref();
      this.#supervisor.send({ id, act }, (error) => {
        if (error !== null) this.#orphaned();
      });
    });
  }

  /** @param {import('./broker/supervisor.mjs').Reply} reply */
  #answered(reply) {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#supervisor.channel?.unref();
    if ('error' in reply) return waiting?.reject(new Error(reply.error));
    this.#pid = reply.pid;
    waiting?.resolve(reply.value);
  }

  /** The supervisor is gone. In order only after our disconnect; else what it held is ended from here (L1). */
  #orphaned() {
    if (this.#state === 'stopped') return;
    const expected = this.#state === 'stopping';
    this.#state = 'stopped';
    for (const { reject } of this.#waiting.values()) reject(new Error('The supervisor of the local broker ended unexpectedly.'));
    this.#waiting.clear();
    if (expected) return;
    this.#log('the supervisor of the local broker ended unexpectedly; so the broker is ended too');
    try {
      if (this.#pid !== undefined) process.kill(this.#pid, 'SIGKILL');
    } catch {
      // It ended with its supervisor.
    }
  }
}
