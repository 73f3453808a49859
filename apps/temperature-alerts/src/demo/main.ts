import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, clockOf, type JobOverview, type LogFactory } from '@weir/core';
import { kafka } from '@weir/kafka';
import { InMemoryCluster, inMemoryLog } from '@weir/testing';
import type { SensorReading } from '../sensor-reading.js';
import { settingsFrom } from '../service-settings.js';
import { AlertPrinter } from './alert-printer.js';
import { type DemoOptions, demoOptions } from './demo-options.js';
import { embedService } from './embedded-service.js';
import { Feed } from './feed.js';
import { Fleet } from './fleet.js';
import { SeattleReplay } from './seattle.js';
import { type RunningService, startService } from './service-process.js';
import { StatusLine } from './status-line.js';
import { LINES_PORT, TypedLines } from './typed-lines.js';

/**
 * The demo: the service, fed with real and simulated readings and with lines from whoever watches. scripts/demo.mjs prepares the machine
 * and gives KAFKA_BROKERS, or WEIR_EMBEDDED=1 where there is no Kafka.
 *
 *   1. a log: Kafka, or in memory   2. topics   3. the service   4. feed and printer   5. until told to end   6. all of it, backwards
 */
const PARTITIONS = 4;
const FLEET_SIZE = 200;
/** Of a fleet reading. */
const JUMP_PROBABILITY = 0.0005;
/** Fleet readings a batch; the feed sends five batches a second. */
const FLEET_BATCH = 400;
/** Batches between two readings of each Seattle year. */
const SEATTLE_EVERY = 2;
const STATUS_EVERY_MS = 500;

async function main(): Promise<void> {
  const options = demoOptions(process.argv.slice(2), process.env);
  const clock = clockOf(globalThis);
  const status = new StatusLine(process.stdout, () => clock.monotonic());
  const say = (line: string): void => status.print(line);
  const stateDir = mkdtempSync(join(tmpdir(), 'weir-demo-'));
  try {
    const ended = endOf(options, say);
    await run(options, clock, status, stateDir, ended);
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function run(options: DemoOptions, clock: Clock, status: StatusLine, stateDir: string, ended: Promise<string>): Promise<void> {
  const say = (line: string): void => status.print(line);
  const { factory, environment } = chooseLog(options, clock, stateDir, say);
  const settings = settingsFrom(environment);
  const { inputTopic, outputTopic } = settings.alerts;
  const log = await factory.open({ clock, clientId: 'temperature-alerts-demo' });
  await log.ensureTopics([inputTopic, outputTopic].map((topic) => ({ topic, partitions: PARTITIONS, config: {} })));

  const service = options.embedded ? await embedService(settings, factory) : await startService(environment, say);
  say(`Service:  ${service.url}/health/live   ${service.url}/health/ready   ${service.url}/jobs/overview`);
  const printer = await AlertPrinter.follow(log, outputTopic, PARTITIONS, say);
  const lines = await listenToPeople(say);
  const feed = new Feed(log, clock, inputTopic, PARTITIONS, readings(lines, clock));
  const fed = feed.run();
  const meter = setInterval(() => void showStatus(service, feed, printer, status), STATUS_EVERY_MS);

  const reason = await Promise.race([ended, service.failed.then(refuse), fed.then(() => 'the feed ended')]);
  say(`Ending: ${reason}.`);
  feed.stop();
  lines.close();
  await fed;
  clearInterval(meter);
  await showStatus(service, feed, printer, status);
  const code = await service.stop();
  await printer.close();
  await log.close();
  status.end();
  say(`Done: ${feed.sent} readings sent, ${printer.printed} alerts committed and printed, service ended with exit code ${code}.`);
  if (code !== 0) process.exitCode = 1;
}

const refuse = (reason: string): never => {
  throw new Error(reason);
};

interface ChosenLog {
  readonly factory: LogFactory;
  readonly environment: Readonly<Record<string, string>>;
}

function chooseLog({ embedded }: DemoOptions, clock: Clock, stateDir: string, say: (line: string) => void): ChosenLog {
  const common = { STATE_DIR: stateDir, PORT: '0', HOST: '127.0.0.1', APPLICATION_ID: 'temperature-alerts-demo' };
  if (embedded) {
    say('*** EMBEDDED: no Kafka here. The log is in memory, within this process, and gone when it ends. ***');
    const factory = inMemoryLog(new InMemoryCluster({ clock }));
    return { factory, environment: { ...common, KAFKA_BROKERS: 'in-memory:0', STATE_BACKEND: 'memory' } };
  }
  const brokers = process.env['KAFKA_BROKERS'];
  if (brokers === undefined || brokers === '') throw new Error('KAFKA_BROKERS is not set: start the demo with `npm run demo`, which finds or starts a broker');
  return { factory: kafka({ brokers: brokers.split(',') }), environment: { ...common, KAFKA_BROKERS: brokers } };
}

async function listenToPeople(say: (line: string) => void): Promise<TypedLines> {
  const lines = new TypedLines(say);
  lines.read(process.stdin, 'stdin');
  const open = await lines.listen(LINES_PORT);
  say(open ? `Type lines like sensor_1,1547718199,35.8 here, or send them to TCP 127.0.0.1:${LINES_PORT}.` : `Type lines like sensor_1,1547718199,35.8 here. (TCP port ${LINES_PORT} is taken, so it is not listened to.)`);
  return lines;
}

/** What the feed sends next: the fleet always, Seattle at its pace, and whatever was typed. */
function readings(lines: TypedLines, clock: Clock): () => readonly SensorReading[] {
  const fleet = new Fleet(FLEET_SIZE, JUMP_PROBABILITY, () => clock.random());
  const seattle = new SeattleReplay();
  let batch = 0;
  return () => {
    const weather = batch++ % SEATTLE_EVERY === 0 ? seattle.next() : [];
    return [...lines.next(), ...weather, ...fleet.next(FLEET_BATCH, clock.wall())];
  };
}

/** Resolves with the reason when the demo is to end. */
function endOf({ seconds }: DemoOptions, say: (line: string) => void): Promise<string> {
  return new Promise((resolve) => {
    if (seconds !== undefined) setTimeout(() => resolve(`${seconds} seconds are over`), seconds * 1000).unref();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(130));
        say(`${signal}: ending in order; once more to end at once.`);
        resolve(signal);
      });
    }
  });
}

/** What the rate is measured from. */
let before = { records: 0, at: performance.now(), rate: 0 };

async function showStatus({ url }: RunningService, feed: Feed, printer: AlertPrinter, status: StatusLine): Promise<void> {
  try {
    const response = await fetch(`${url}/jobs/overview`, { signal: AbortSignal.timeout(2_000) });
    const { jobs } = (await response.json()) as { readonly jobs: readonly { readonly state: string; readonly weir: JobOverview }[] };
    const [job] = jobs;
    if (job !== undefined) status.show(`${statusOf(job.weir)}   sent ${feed.sent}   alerts ${printer.printed}`);
  } catch (error) {
    status.show(`The service does not answer: ${(error as Error).message}`);
  }
}

function statusOf({ status, tasks, checkpoints, reason }: JobOverview): string {
  const records = tasks.reduce((sum, task) => sum + task.recordsIn, 0);
  const lag = tasks.reduce((sum, task) => sum + task.lag, 0);
  const at = performance.now();
  if (at - before.at > 900) before = { records, at, rate: Math.round(((records - before.records) / (at - before.at)) * 1000) };
  const { latest, completed } = checkpoints;
  const checkpoint = latest === undefined ? 'no checkpoint yet' : `checkpoint ${latest.id} (${completed} done, ${Math.round(latest.durationMs)} ms)`;
  return `${status}${reason === undefined ? '' : ` (${reason})`}   ${before.rate} readings/s   lag ${lag}   ${checkpoint}`;
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);

