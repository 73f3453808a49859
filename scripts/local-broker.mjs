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
//       (broker/supervised-broker.mjs has the parent's half of it.)
//   L2. Any number of brokers run side by side: each has its own ports, folder and supervisor. They share only the jars.
//   L3. A broker that was started does not keep its starter's event loop alive; a call on it does, until it is answered.
import { whyNoneAnswers } from './broker/answers.mjs';
import { whyNoDocker } from './broker/docker-broker.mjs';
import { findJars, findJava } from './broker/java-kafka.mjs';
import { SupervisedBroker } from './broker/supervised-broker.mjs';

/** @typedef {import('./local-broker.d.mts').LocalBroker} LocalBroker */
/** @typedef {import('./broker/supervisor.mjs').Plan} Plan */
/** @typedef {(line: string) => void} Log */

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
