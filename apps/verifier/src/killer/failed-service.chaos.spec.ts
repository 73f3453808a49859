import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { clockOf, sleep } from '@weir/core';
import { type LocalBroker, startBroker } from '../../../../scripts/local-broker.mjs';
import { Feeder } from '../generator/feeder.js';
import { PROJECT_ROOT } from '../witness/project-root.js';
import { ServiceProcess } from './service-process.js';

/**
 * A job that restarting does not mend any more, in a real process: what it says, and what becomes of the process. The strategy allows no restart,
 * and a rival of the same application id, outside of any group, fences a task.
 */
const SERVICE = join(PROJECT_ROOT, 'dist', 'apps', 'temperature-alerts', 'main.js');
const LIMIT_MS = 180_000;
const clock = clockOf(globalThis);

let broker: LocalBroker;
let folder: string;
let feeder: Feeder;
let env: Record<string, string>;
let services: ServiceProcess[];
let runs = 0;

beforeAll(async () => {
  if (!existsSync(SERVICE)) throw new Error(`${SERVICE} is not built: run npm run build`);
  broker = await startBroker();
}, LIMIT_MS);

afterAll(() => broker?.stop(), LIMIT_MS);

beforeEach(async () => {
  const name = `failed-${++runs}`;
  services = [];
  folder = await mkdtemp(join(tmpdir(), 'weir-failed-'));
  const { brokers } = broker;
  feeder = await Feeder.start({ brokers, topic: `${name}-in`, compression: 'none', transactionalId: undefined });
  await feeder.create(`${name}-in`, 1);
  env = { KAFKA_BROKERS: brokers, APPLICATION_ID: name, INPUT_TOPIC: `${name}-in`, OUTPUT_TOPIC: `${name}-out`, PORT: '0', REPLICAS: 'one', CHECKPOINT_INTERVAL_MS: '50' };
}, LIMIT_MS);

afterEach(async () => {
  await Promise.all(services.map((service) => service.kill()));
  await feeder.close();
  await rm(folder, { recursive: true, force: true });
}, LIMIT_MS);

function start(name: string, more: Record<string, string> = {}): ServiceProcess {
  const service = new ServiceProcess({ entry: SERVICE, env: { ...env, STATE_DIR: join(folder, name), ...more }, logFile: join(folder, `${name}.log`), clock });
  services.push(service);
  return service;
}

/** Readings flow until `done` says so: a fenced task learns of it when it commits. */
async function feedUntil(done: () => Promise<boolean>): Promise<void> {
  for (let n = 1; !(await done()); n++) {
    await feeder.send({ key: 'sensor_1', value: `sensor_1,${n},20` });
    await sleep(clock, 50);
  }
}

/** A service that has failed, because another one took its task. */
async function failed(more: Record<string, string>): Promise<ServiceProcess> {
  const service = start('first', { RESTART_STRATEGY: 'none', ...more });
  await service.untilRunning(LIMIT_MS);
  start('rival');
  await feedUntil(async () => service.end !== undefined || (await service.overview())?.status === 'FAILED');
  return service;
}

describe('a service whose job exceeds its restart strategy', () => {
  it(
    'ends with the exit code that is set, and says why in its log',
    async () => {
      const service = await failed({ EXIT_ON_FAILURE: '7' });
      expect((await service.ended).code).toBe(7);
      const log = await readFile(service.logFile, 'utf8');
      expect(log.split('\n').filter((line) => line.includes('FAILED: '))).toEqual([expect.stringContaining('RESTARTS_EXHAUSTED')]);
    },
    LIMIT_MS,
  );

  it(
    'lives on where it is to, answers 503 with the reason, shows the job as FAILED, and ends with 1 when it is told to',
    async () => {
      const service = await failed({ EXIT_ON_FAILURE: 'false' });
      const url = /HTTP on (http:\/\/[^\s:]+:\d+)/.exec(await readFile(service.logFile, 'utf8'))![1]!;
      for (const probe of ['live', 'ready']) {
        const response = await fetch(`${url}/health/${probe}`);
        expect([probe, response.status, await response.text()]).toEqual([probe, 503, expect.stringContaining('RESTARTS_EXHAUSTED')]);
      }
      const { jobs } = (await (await fetch(`${url}/jobs/overview`)).json()) as { readonly jobs: readonly { readonly state: string }[] };
      expect(jobs.map(({ state }) => state)).toEqual(['FAILED']);
      service.signal('SIGTERM');
      expect((await service.ended).code).toBe(1);
    },
    LIMIT_MS,
  );
});
