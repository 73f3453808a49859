// The process between a broker and whoever started it: it ends the broker when its parent ends, however that happens.
//
// It is forked with a message channel, in a session of its own, so Ctrl-C in the parent's terminal does not reach it. A parent
// that ends closes the channel, kill -9 included: the broker is destroyed and the supervisor exits. Acts come as messages and are
// done one after another; a closed channel does not wait for its turn.
import { DockerBroker } from './docker-broker.mjs';
import { JavaBroker } from './java-broker.mjs';

/** @typedef {'open' | 'terminate' | 'start' | 'kill' | 'pause' | 'resume' | 'destroy'} Act */
/** A `node` is one of a cluster (../local-cluster.mjs). */
/** @typedef {{ way: 'java', java: string, lib: string, node?: import('./java-kafka.mjs').ClusterNode } | { way: 'docker' }} Plan */
/** @typedef {{ id: number, act: Act }} Request */
/** @typedef {{ id: number, value: string | undefined, pid: number | undefined } | { id: number, error: string }} Reply */

const plan = /** @type {Plan} */ (JSON.parse(process.argv[2] ?? ''));
const broker = plan.way === 'java' ? new JavaBroker({ java: plan.java, lib: plan.lib }, plan.node) : new DockerBroker();

for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => undefined);

/** @type {Promise<void>} */
let turn = Promise.resolve();
process.on('message', (message) => {
  const { id, act } = /** @type {Request} */ (message);
  turn = turn.then(async () => reply(await perform(id, act)));
});
process.on('disconnect', () => {
  void broker.destroy().catch(() => undefined).then(() => process.exit(0));
});

/**
 * @param {number} id
 * @param {Act} act
 * @returns {Promise<Reply>}
 */
async function perform(id, act) {
  try {
    const value = (await broker[act]()) ?? undefined;
    return { id, value, pid: broker.pid };
  } catch (error) {
    return { id, error: error instanceof Error ? error.message : String(error) };
  }
}

/** @param {Reply} message */
function reply(message) {
  if (process.connected) process.send?.(message);
}
