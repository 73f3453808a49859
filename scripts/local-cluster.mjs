// A cluster of three brokers for what strikes brokers: each is a Java process with data and ports of its own, and can be ended, paused and
// started again by itself. The nodes are broker and controller in one, so a cluster goes on while any two of them run. What every local
// broker has in common stands in local-broker.mjs (L1 to L3 hold for each node), what a cluster has besides in
// docker/local-broker/cluster.properties.
//
//   each node:   up ──shutDown | kill──> down ──start──> up        up ──pause──> paused ──resume──> up
//
// Invariants
//   C1. All ports are chosen before the first node starts, for the nodes must know each other; if one of them is taken meanwhile, the whole
//       cluster is made again on others.
//   C2. A cluster that could not start as a whole leaves nothing behind.
import { findJars, findJava, freePortNumbers, newClusterId } from './broker/java-kafka.mjs';
import { SupervisedBroker } from './broker/supervised-broker.mjs';

/** @typedef {import('./local-cluster.d.mts').LocalCluster} LocalCluster */
/** @typedef {import('./local-cluster.d.mts').LocalNode} LocalNode */
/** @typedef {import('./broker/java-kafka.mjs').ClusterNode} ClusterNode */

const NODES = 3;
const PORTS_A_NODE = 4;
const TRIES = 3;

/** @type {typeof import('./local-cluster.d.mts').startCluster} */
export async function startCluster(options = {}) {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => undefined);
  const java = await findJava(env);
  const jars = 'found' in java ? await findJars(env, log) : { missing: '' };
  if ('missing' in java || 'missing' in jars) {
    const missing = 'missing' in java ? java.missing : 'missing' in jars ? jars.missing : '';
    throw new Error(`There is no way to a cluster of brokers here. It needs Java 17 or later, and once Maven, which fetches Kafka: ${missing}.`);
  }
  for (let tries = 1; ; tries++) {
    const cluster = new Cluster({ java: java.found, lib: jars.found }, await placesOf(NODES), env, log);
    try {
      return await cluster.open();
    } catch (error) {
      await cluster.stop(); // C2
      if (tries === TRIES || !String(error).includes('Address already in use')) throw error; // C1
    }
  }
}

/**
 * @param {number} count
 * @returns {Promise<ClusterNode[]>}
 */
async function placesOf(count) {
  const ports = await freePortNumbers(count * PORTS_A_NODE);
  const clusterId = newClusterId();
  const places = Array.from({ length: count }, (_, i) => {
    const [broker, controller, listen, advertised] = /** @type {[number, number, number, number]} */ (ports.slice(i * PORTS_A_NODE));
    return { id: i + 1, ports: { broker, controller }, proxied: { listen, advertised } };
  });
  const voters = places.map(({ id, ports: { controller } }) => `${id}@127.0.0.1:${controller}`).join(',');
  return places.map((place) => ({ ...place, clusterId, voters }));
}

/** @implements {LocalCluster} */
class Cluster {
  /** @type {readonly Node[]} */
  nodes;

  /**
   * @param {import('./broker/java-kafka.mjs').JavaKafka} kafka
   * @param {readonly ClusterNode[]} places
   * @param {import('./broker/java-kafka.mjs').Env} env
   * @param {(line: string) => void} log
   */
  constructor(kafka, places, env, log) {
    this.nodes = places.map((place) => new Node(place, new SupervisedBroker({ way: 'java', ...kafka, node: place }, env, log)));
  }

  get brokers() {
    return this.nodes.map(({ address }) => address).join(',');
  }

  get proxiedBrokers() {
    return this.nodes.map(({ proxied }) => `127.0.0.1:${proxied.advertised}`).join(',');
  }

  async open() {
    await Promise.all(this.nodes.map((node) => node.broker.open()));
    return this;
  }

  async stop() {
    await Promise.all(this.nodes.map((node) => node.broker.stop()));
  }
}

/** @implements {LocalNode} */
class Node {
  id;
  address;
  proxied;
  broker;

  /**
   * @param {ClusterNode} place
   * @param {SupervisedBroker} broker
   */
  constructor({ id, ports, proxied }, broker) {
    this.id = id;
    this.address = `127.0.0.1:${ports.broker}`;
    this.proxied = proxied;
    this.broker = broker;
  }

  start() {
    return this.broker.start();
  }

  shutDown() {
    return this.broker.shutDown();
  }

  kill() {
    return this.broker.kill();
  }

  pause() {
    return this.broker.pause();
  }

  resume() {
    return this.broker.resume();
  }
}
