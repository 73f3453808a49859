// A broker behind a supervisor process, as its starter sees it: acts go to the supervisor, one after another, and come back as answers.
// This is the parent's half of L1 in ../local-broker.mjs; the supervisor's is supervisor.mjs.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @typedef {import('../local-broker.d.mts').LocalBroker} LocalBroker */
/** @typedef {import('./supervisor.mjs').Act} Act */
/** @typedef {import('./supervisor.mjs').Plan} Plan */
/** @typedef {(line: string) => void} Log */

const SUPERVISOR = fileURLToPath(new URL('./supervisor.mjs', import.meta.url));

/** @implements {LocalBroker} */
export class SupervisedBroker {
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
   * @param {import('./java-kafka.mjs').Env} env
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
    this.#supervisor.on('message', (message) => this.#answered(/** @type {import('./supervisor.mjs').Reply} */ (message)));
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
    await this.shutDown();
    await this.start();
  }

  /** Ends the broker in order (SIGTERM), also one that is paused. Data and port stay for `start`. */
  async shutDown() {
    await this.#ask('terminate');
  }

  /** Starts a broker that is down, and waits until it answers. */
  async start() {
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

  /** @param {import('./supervisor.mjs').Reply} reply */
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
