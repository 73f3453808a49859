// A broker that is a Java process of ours. Runs inside the supervisor (supervisor.mjs).
//
//   new ──open──> up ──terminate | kill | dies──> down ──start──> up
//   any ──destroy──> gone
//
// Invariants
//   J1. Data and ports are chosen once, in open, and stay until destroy.
//   J2. After destroy there is neither process nor folder, also when destroy comes in the midst of another act.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { whyNoAnswer } from './answers.mjs';
import { format, freePorts, lastWords, launch } from './java-kafka.mjs';

const START_LIMIT_MS = 60_000;
const TERMINATE_LIMIT_MS = 20_000;
const POLL_MS = 50;
const PORT_TRIES = 5;
const PREFIX = 'weir-broker-';

/** @typedef {import('node:child_process').ChildProcess} ChildProcess */

export class JavaBroker {
  /** @type {import('./java-kafka.mjs').JavaKafka} */
  #kafka;
  #scratch = '';
  /** @type {import('./java-kafka.mjs').Ports | undefined} */
  #ports;
  /** @type {ChildProcess | undefined} the process while it runs */
  #process;
  #gone = false;

  #node;

  /**
   * @param {import('./java-kafka.mjs').JavaKafka} kafka
   * @param {import('./java-kafka.mjs').ClusterNode} [node] its place in a cluster; without one it is a cluster of its own
   */
  constructor(kafka, node) {
    this.#kafka = kafka;
    this.#node = node;
  }

  /** @returns {number | undefined} for the parent, which kills it should the supervisor itself be killed */
  get pid() {
    return this.#process?.pid;
  }

  /**
   * Another process may take a chosen port before the broker does: then other ports are chosen. Those of a cluster's node were chosen
   * with the other nodes', and are chosen again with them.
   * @returns {Promise<string>} the brokers
   */
  async open() {
    await sweep();
    this.#scratch = await mkdtemp(join(tmpdir(), PREFIX));
    if (this.#gone) await this.destroy();
    await writeFile(join(this.#scratch, 'owner'), String(process.pid));
    for (let tries = 1; ; tries++) {
      this.#ports = this.#node?.ports ?? (await freePorts());
      await format(this.#kafka, this.#scratch, this.#node ?? this.#ports);
      try {
        await this.start();
        return `127.0.0.1:${this.#ports.broker}`;
      } catch (error) {
        if (this.#node !== undefined || tries === PORT_TRIES || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  async start() {
    if (this.#process !== undefined) throw new Error('the broker runs already');
    if (this.#gone || this.#ports === undefined) throw new Error('the broker was stopped, and its data removed');
    const process_ = await launch(this.#kafka, this.#scratch, process.env, this.#node !== undefined);
    let ended = '';
    const end = (/** @type {string} */ how) => {
      ended = how;
      if (this.#process === process_) this.#process = undefined;
    };
    process_.once('error', (error) => end(error.message));
    process_.once('exit', (code, signal) => end(`exit ${signal ?? code}`));
    this.#process = process_;
    if (this.#gone) process_.kill('SIGKILL'); // J2: destroy came while launch was under way
    const deadline = performance.now() + START_LIMIT_MS;
    while ((await whyNoAnswer('127.0.0.1', this.#ports.broker, 2_000)) !== undefined) {
      if (ended !== '') throw new Error(`the broker ended while it started (${ended}). It said last:\n${await lastWords(this.#scratch)}`);
      if (performance.now() > deadline) {
        process_.kill('SIGKILL');
        throw new Error(`the broker did not answer within ${START_LIMIT_MS} ms. It said last:\n${await lastWords(this.#scratch)}`);
      }
      await sleep(POLL_MS);
    }
  }

  /** In order; with force when it takes too long. A broker that is down already is fine. */
  async terminate() {
    await this.#end('SIGTERM');
  }

  async kill() {
    await this.#end('SIGKILL');
  }

  /** @param {'SIGTERM' | 'SIGKILL'} signal */
  async #end(signal) {
    const process_ = this.#process;
    if (process_ === undefined) return;
    const exited = new Promise((resolve) => process_.once('exit', resolve));
    process_.kill(signal);
    process_.kill('SIGCONT'); // a paused process does not see SIGTERM before it goes on
    const force = setTimeout(() => process_.kill('SIGKILL'), TERMINATE_LIMIT_MS);
    await exited;
    clearTimeout(force);
  }

  pause() {
    this.#signal('SIGSTOP');
  }

  resume() {
    this.#signal('SIGCONT');
  }

  /** @param {NodeJS.Signals} signal */
  #signal(signal) {
    if (this.#process === undefined) throw new Error('the broker does not run');
    this.#process.kill(signal);
  }

  async destroy() {
    this.#gone = true;
    await this.kill();
    if (this.#scratch !== '') await rm(this.#scratch, { recursive: true, force: true, maxRetries: 5 });
  }

  /** @returns {Promise<string>} */
  lastWords() {
    return lastWords(this.#scratch);
  }
}

/** Removes the folders of supervisors that were killed before they could. */
async function sweep() {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(tmpdir(), name);
    const owner = Number(await readFile(join(folder, 'owner'), 'utf8').catch(() => ''));
    if (owner > 0 && !(await isAlive(owner))) await rm(folder, { recursive: true, force: true }).catch(() => undefined);
  }
}

/**
 * Asking by signal 0 finds a dead process too, for as long as nobody has collected it, and any other that got its number.
 * @param {number} pid
 * @returns {Promise<boolean>} whether a supervisor runs under this id
 */
async function isAlive(pid) {
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined);
  if (line !== undefined || process.platform === 'linux') return line?.includes('supervisor') ?? false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
