// A broker that is the `broker` service of docker/compose.yaml, as a project of its own. Runs inside the supervisor (supervisor.mjs).
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { whyNoneAnswers } from './answers.mjs';
import { freePorts } from './java-kafka.mjs';

const run = promisify(execFile);
const COMPOSE_FILE = fileURLToPath(new URL('../../docker/compose.yaml', import.meta.url));
const ENGINE_LIMIT_MS = 20_000;
/** The first start may have to pull the image. */
const UP_LIMIT_MS = 600_000;
const ACT_LIMIT_MS = 60_000;
/** The container is healthy when its port is open; that it answers can take longer. */
const ANSWER_LIMIT_MS = 60_000;
const POLL_MS = 100;

/**
 * @param {Readonly<Record<string, string | undefined>>} env
 * @returns {Promise<string | undefined>} undefined if a Docker engine and its compose answer, else what is missing
 */
export async function whyNoDocker(env) {
  for (const args of [['info', '--format', '{{.ServerVersion}}'], ['compose', 'version']]) {
    try {
      await run('docker', args, { timeout: ENGINE_LIMIT_MS, env });
    } catch (error) {
      const { code, stderr } = /** @type {{ code?: unknown, stderr?: string }} */ (error);
      if (code === 'ENOENT') return 'no docker on PATH';
      return `docker ${args[0]}: ${(stderr ?? '').trim().split('\n').at(-1) || 'no answer'}`;
    }
  }
  return undefined;
}

export class DockerBroker {
  #project = `weir-broker-${randomBytes(4).toString('hex')}`;
  #brokers = '';
  #gone = false;
  /** @returns {undefined} Docker keeps the process */
  get pid() {
    return undefined;
  }

  /** @returns {Promise<string>} the brokers */
  async open() {
    const { broker } = await freePorts();
    this.#brokers = `127.0.0.1:${broker}`;
    await this.#up();
    return this.#brokers;
  }

  async start() {
    if (this.#gone) throw new Error('the broker was stopped, and its data removed');
    await this.#up();
  }

  async #up() {
    await this.#compose(['up', '--detach', '--wait', '--no-deps', 'broker'], UP_LIMIT_MS);
    for (const deadline = performance.now() + ANSWER_LIMIT_MS; ; await sleep(POLL_MS)) {
      const why = await whyNoneAnswers(this.#brokers, 2_000);
      if (why.length === 0) return;
      if (performance.now() > deadline) throw new Error(`the broker's container is up, but ${why.join(', ')}`);
    }
  }

  async terminate() {
    await this.#compose(['unpause', 'broker']).catch(() => undefined);
    await this.#compose(['stop', 'broker']);
  }

  async kill() {
    await this.#compose(['kill', 'broker']);
  }

  async pause() {
    await this.#compose(['pause', 'broker']);
  }

  async resume() {
    await this.#compose(['unpause', 'broker']);
  }

  async destroy() {
    if (this.#gone) return;
    this.#gone = true;
    await this.#compose(['kill', 'broker']).catch(() => undefined);
    await this.#compose(['down', '--volumes', '--timeout', '1']);
  }

  /** @returns {Promise<string>} */
  async lastWords() {
    return this.#compose(['logs', '--tail', '20', 'broker']).catch(() => '');
  }

  /**
   * @param {string[]} args
   * @param {number} [timeout]
   */
  async #compose(args, timeout = ACT_LIMIT_MS) {
    const env = { ...process.env, WEIR_BROKER_PORT: this.#brokers.split(':')[1] };
    try {
      return (await run('docker', ['compose', '-f', COMPOSE_FILE, '-p', this.#project, ...args], { env, timeout })).stdout;
    } catch (error) {
      const { stderr } = /** @type {{ stderr?: string }} */ (error);
      throw new Error(`docker compose ${args[0]} failed: ${(stderr ?? '').trim().split('\n').slice(-5).join('\n')}`, { cause: error });
    }
  }
}
