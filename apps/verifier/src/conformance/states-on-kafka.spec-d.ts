import { expect } from '@jest/globals';
import { type Append, type Clock, clockOf, createJob, type Job, type JobOutcome, type Log, type LogReader, offset, PARTITIONERS, RecordWriter, sleep } from '@weir/core';
import { kafka } from '@weir/kafka';
import { RecordingTelemetry, SeededRandom } from '@weir/testing';
import { drawOperation, type Given, type Operation, PARTITIONS, type Result, type Rule, type StateHarness, StateModel, statesJob, statesTopics, TOPIC_CONFIG } from '@weir/testing/conformance';
import { wrapTransactions } from '../sabotaged/wrap-ports.js';

const real = clockOf(globalThis);
const TTL_MS = 600_000;
const LOOK_EVERY_MS = 5;
/** How long a job whose log is gone may wait for a round's end that nobody can write any more. */
const STOP_MS = 5_000;
/** How long it is waited for anything, at the most. */
const PATIENCE_MS = 90_000;
/** Rounds of the whole job without a new result, after which those that are missing do not come any more. */
const IDLE_ROUNDS = 600;

/** Where a commit can be cut. */
export const CUTS = ['before the append', 'after the append', 'before the commit', 'with the commit on its way', 'committed, the store not written'] as const;
export type Cut = (typeof CUTS)[number];

/**
 * The job of the conformance suites on a real cluster, in this process. Its death is that of its log client: nothing it began afterwards
 * reaches the cluster, an open transaction stays open, and the store has what was applied.
 */
export class StatesOnKafka {
  readonly model = new StateModel(PARTITIONS);
  readonly random = new SeededRandom(1);
  readonly #name = `conformance-${real.newId().slice(0, 8)}`;
  readonly #topics = statesTopics(`${this.#name}-`);
  readonly #results: { key: string | null; value: Result | null }[] = [];
  /** Wall-clock time that has passed without anyone waiting for it. */
  #passedMs = 0;
  #cut: Cut | undefined;
  #cluster!: Log;
  #reader!: LogReader;
  #running: { readonly job: Job; readonly ended: Promise<JobOutcome>; hasEnded: boolean; die: () => Promise<void> } | undefined;
  #transactions = 0;

  private constructor(
    private readonly brokers: readonly string[],
    private readonly harness: StateHarness,
  ) {}

  static async start(brokers: readonly string[], harness: StateHarness): Promise<StatesOnKafka> {
    const rig = new StatesOnKafka(brokers, harness);
    try {
      await rig.#open();
    } catch (thrown) {
      await rig.end();
      throw thrown;
    }
    return rig;
  }

  async #open(): Promise<void> {
    this.#cluster = await kafka({ brokers: this.brokers }).open({ clock: real, clientId: `${this.#name}-spec` });
    const { operations, rules, results } = this.#topics;
    const spec = (topic: string, partitions: number) => ({ topic, partitions, config: TOPIC_CONFIG });
    await this.#cluster.ensureTopics([spec(operations.topic, PARTITIONS), spec(rules.topic, 1), spec(results.topic, PARTITIONS)]);
    this.#reader = this.#cluster.openReader({ wake: () => undefined, bufferBytes: 4 * 1024 * 1024 });
    for (let partition = 0; partition < PARTITIONS; partition++) this.#reader.assign({ topic: results.topic, partition }, offset(0));
    await this.#startJob();
  }

  async #startJob(): Promise<void> {
    let die = (): Promise<void> => Promise.resolve();
    const clock: Clock = { ...real, wall: () => real.wall() + this.#passedMs };
    const log = wrapTransactions(
      {
        open: async (context) => {
          const opened = await kafka({ brokers: this.brokers }).open(context);
          die = () => opened.close();
          return opened;
        },
      },
      (transaction) => ({
        append: async (appends) => {
          await this.#dieAt('before the append', die);
          const placed = await transaction.append(appends);
          await this.#dieAt('after the append', die);
          return placed;
        },
        commit: async () => {
          await this.#dieAt('before the commit', die);
          const committed = transaction.commit();
          committed.catch(() => undefined);
          await this.#dieAt('with the commit on its way', die);
          await committed;
          await this.#dieAt('committed, the store not written', die);
        },
      }),
    );
    const settings = { applicationId: this.#name, group: 'none', checkpointing: { interval: 50 }, restartStrategy: { type: 'none' }, state: { cacheEntries: 3 } } as const;
    const job = createJob('states', statesJob(TTL_MS, this.#topics), settings, { log, state: this.harness.factory, clock, telemetry: new RecordingTelemetry() });
    const running = { job, ended: job.ended, hasEnded: false, die: () => die() };
    void job.ended.then(() => (running.hasEnded = true));
    this.#running = running;
    job.start();
    await this.#until('every task runs', () => job.isReady());
  }

  async #dieAt(cut: Cut, die: () => Promise<void>): Promise<void> {
    if (this.#cut !== cut) return;
    this.#cut = undefined;
    await die();
    throw new Error(`the process died: ${cut}`);
  }

  /** Operations of its own choice on each of the keys, as far as `given` leaves any, in one transaction. */
  async pipe(count: number, keys: readonly string[], given: Given = {}): Promise<void> {
    const rows = Array.from({ length: PARTITIONS }, () => new RecordWriter());
    for (const key of keys) {
      for (let i = 0; i < count; i++) {
        const operation: Operation = this.model.operation(drawOperation(this.random, { ...given, key }));
        const bytes = Buffer.from(key, 'latin1');
        const partition = PARTITIONERS.murmur2(bytes, 0, bytes.length, PARTITIONS);
        rows[partition]!.add(real.wall(), bytes, Buffer.from(JSON.stringify(operation)));
      }
    }
    await this.#send(rows.map(({ columns }, partition) => ({ topic: this.#topics.operations.topic, partition, records: columns })));
  }

  /** Changes the rules, when nothing else is under way, and waits until every task has taken that up (R9). */
  async rule(given: Omit<Rule, 'n'>): Promise<void> {
    const rule = this.model.rule(given);
    const rows = new RecordWriter();
    rows.add(real.wall(), Buffer.from(rule.userKey, 'latin1'), Buffer.from(JSON.stringify(rule)));
    await this.#send([{ topic: this.#topics.rules.topic, partition: 0, records: rows.columns }]);
    const { job } = this.#running!;
    const { completed } = job.overview().checkpoints;
    await this.#until('two rounds complete', () => job.overview().checkpoints.completed >= completed + 2);
  }

  async #send(appends: readonly Append[]): Promise<void> {
    const writer = await this.#cluster.openWriter({ transactionalId: `${this.#name}-feeder-${this.#transactions++}`, transactionTimeoutMs: 60_000 });
    const transaction = writer.begin();
    await transaction.append(appends.filter(({ records }) => records.count > 0));
    await transaction.commit();
    await writer.close();
  }

  /** Lets the next commit die at `cut`, waits until it has, and starts the job again. */
  async dieAt(cut: Cut, withoutFiles: boolean): Promise<void> {
    this.#cut = cut;
    const running = this.#running!;
    await this.#until(`the job has died ${cut}`, () => running.hasEnded);
    expect(this.#cut).toBeUndefined();
    await this.#restart(withoutFiles);
  }

  /** @param passedMs how long it is down */
  async crash(withoutFiles: boolean, passedMs = 0): Promise<void> {
    await this.#die();
    await this.#restart(withoutFiles, passedMs);
  }

  async #restart(withoutFiles: boolean, passedMs = 0): Promise<void> {
    await this.#running!.ended;
    this.#passedMs += passedMs;
    if (withoutFiles) await this.harness.wipe();
    await this.#startJob();
  }

  /** Once its log is gone a stop commits nothing: it only closes what is open. */
  async #die(): Promise<void> {
    await this.#running?.die();
    await this.#running?.job.stop(STOP_MS);
  }

  /** The process is down until all state that fades is gone. */
  async expireWhileDown(withoutFiles: boolean): Promise<void> {
    this.model.expire();
    await this.crash(withoutFiles, TTL_MS);
  }

  /** Waits until every operation has given its result, or no more results come, and compares them all with the model's. */
  async verify(): Promise<void> {
    const { job } = this.#running!;
    let last = { results: -1, rounds: 0 };
    await this.#until('every result', () => {
      const now = { results: this.#takeResults(), rounds: job.overview().checkpoints.completed };
      if (now.results !== last.results) last = now;
      return now.results >= this.model.operations || now.rounds - last.rounds >= IDLE_ROUNDS;
    });
    const differences = this.model.differences(this.#results);
    if (differences.length > 0) throw new Error(`${differences.join('; ')}. The job: ${this.#describe()}`);
  }

  #takeResults(): number {
    for (let chunk = this.#reader.take(); chunk !== undefined; chunk = this.#reader.take()) {
      for (let row = 0; row < chunk.records.count; row++) {
        const value = JSON.parse(chunk.records.value(row)!.toString('utf8')) as Result;
        this.#results.push({ key: chunk.records.key(row)?.toString('latin1') ?? null, value });
      }
    }
    return this.#results.length;
  }

  /** @throws what failed the job; or an error that says how the job stands, when it takes too long */
  async #until(what: string, condition: () => boolean): Promise<void> {
    const began = real.monotonic();
    while (!condition()) {
      if (this.#running!.hasEnded) throw await this.#failure();
      if (real.monotonic() - began > PATIENCE_MS) throw new Error(`Waited ${PATIENCE_MS} ms until ${what}, in vain. The job: ${this.#describe()}`);
      await sleep(real, LOOK_EVERY_MS);
    }
  }

  #describe(): string {
    const { status, reason, tasks, checkpoints, failures } = this.#running!.job.overview();
    return JSON.stringify({ status, reason, results: this.#results.length, operations: this.model.operations, checkpoints, tasks, failures });
  }

  async #failure(): Promise<Error> {
    const outcome = await this.#running!.ended;
    return outcome.status === 'FAILED' ? outcome.error : new Error('the job was stopped, and nobody asked for it');
  }

  async end(): Promise<void> {
    await this.#die();
    await this.#reader?.close();
    await this.#cluster?.close();
  }
}
