import { expect } from '@jest/globals';
import { type JobDefinition, type StateBackendFactory } from '@weir/core';
import { CommittedState } from '../driver/committed-state.js';
import { JobTestDriver, ProcessKilled } from '../driver/job-test-driver.js';
import { ManualClock } from '../manual-clock.js';
import { InMemoryCluster } from '../memory-log/in-memory-cluster.js';
import { SeededRandom } from '../seeded-random.js';
import { PreparedBackend } from './prepared-backend.js';
import { ACTS, descriptorsOf, KINDS, type Operation, OPERATOR_KINDS, OPERATORS, type Rule, latin1, statesJob, TOPICS } from './state-job.js';
import { StateModel } from './state-model.js';

/** A backend for the suites of state. */
export interface StateHarness {
  /** Each `open` acts like a new process over the same place. */
  readonly factory: StateBackendFactory;
  /** Loses all that the stores hold; none is open. */
  wipe(): Promise<void>;
  /** Removes all that the harness made. */
  dispose(): Promise<void>;
}

export const PARTITIONS = 2;
/** Operations with large keys are large, and so are their results. */
export const TOPIC_CONFIG = { 'max.message.bytes': String(32 * 1024 * 1024) };
const TTL_MS = 300_000;

/** Keys of every sort: each a text of one byte per character. */
export const KEYS = [
  '', 'a', 'ab', 'abc', 'b', '\0', '\0\0', '\0\0\0\0', '\0\0\0\0a',
  '\xff\xfe\x80\x01', // no UTF-8
  '\xc3\xbc', // an ü
  '\xff\xff\x01', '\xff\xff\x02', '\xff\xfe', // as Weir's own records have them
  '\x80\x00', '\x80\x00\x00\x00\x00\x00', // as operator state has them
  'a\x01', '\x01a', // with what may stand for a length
];
export const USER_KEYS = ['', 'x', 'xy', '\0', '\0\0\0\0', '\xff', '\xff\xff\x01', '\xf0\x9f\x98\x80'];
/** Keys and user keys of a megabyte, the same but for their last byte. */
export const LARGE_KEYS = ['1', '2'].map((end) => `${'K'.repeat(999_999)}${end}`);

export type Given = Partial<Omit<Operation, 'n'>>;

/** An operation of its own choice, as far as `given` leaves any. */
export function drawOperation(random: SeededRandom, given: Given = {}): Omit<Operation, 'n'> {
  const operator = given.operator ?? random.pick(OPERATORS);
  const kinds = operator === 'lists' ? OPERATOR_KINDS : operator === 'fading' ? KINDS : ([...KINDS, 'broadcast'] as const);
  const kind = given.kind ?? random.pick<Operation['kind']>(kinds);
  return { key: random.pick(KEYS), userKey: random.pick(USER_KEYS), act: random.pick(ACTS[kind]), ...given, operator, kind };
}

/** Runs the job on the in-memory log and a backend, pipes operations, and knows what must come of them. */
export class StatesRig {
  readonly random: SeededRandom;
  readonly model = new StateModel(PARTITIONS);
  readonly #prepared: PreparedBackend;
  #driver!: JobTestDriver;

  private constructor(
    private readonly harness: StateHarness,
    private readonly seed: number,
    private readonly intervalMs: number,
    clock: ManualClock,
  ) {
    this.random = new SeededRandom(seed).fork(4);
    this.#prepared = new PreparedBackend(harness.factory, PARTITIONS, clock);
  }

  /** @param intervalMs between checkpoints */
  static async start(harness: StateHarness, seed: number, intervalMs = 100): Promise<StatesRig> {
    const clock = new ManualClock({ seed });
    const rig = new StatesRig(harness, seed, intervalMs, clock);
    const cluster = new InMemoryCluster({ clock, seed });
    for (const { topic } of [TOPICS.operations, TOPICS.results]) cluster.createTopic(topic, PARTITIONS, TOPIC_CONFIG);
    cluster.createTopic(TOPICS.rules.topic, 1, TOPIC_CONFIG);
    rig.#driver = await rig.#startDriver(statesJob(TTL_MS), clock, cluster);
    return rig;
  }

  get driver(): JobTestDriver {
    return this.#driver;
  }

  async #startDriver(definition: JobDefinition, clock: ManualClock, cluster: InMemoryCluster): Promise<JobTestDriver> {
    await this.#prepared.prepare('test');
    return JobTestDriver.start(definition, {
      topics: { [TOPICS.operations.topic]: PARTITIONS, [TOPICS.rules.topic]: 1, [TOPICS.results.topic]: PARTITIONS },
      // A group has no offsets of a broadcast, so nobody can wait for them.
      outputs: [TOPICS.results.topic, TOPICS.rules.topic],
      // A cache of few keys, so that most state comes from the store.
      settings: { checkpointing: { interval: this.intervalMs }, state: { cacheEntries: 3 } },
      seed: this.seed,
      clock,
      cluster,
      state: () => this.#prepared.forJob(),
    });
  }

  /** Operations of its own choice, as far as `given` leaves any. */
  pipe(count: number, given: Given = {}): void {
    for (let i = 0; i < count; i++) this.operate(drawOperation(this.random, given));
  }

  operate(given: Omit<Operation, 'n'>): void {
    this.driver.pipe(TOPICS.operations, given.key, this.model.operation(given));
  }

  /** Changes the rules: to be called with nothing else under way, for the two sides of a broadcast come in no order. */
  async rule(given: Omit<Rule, 'n'>): Promise<void> {
    await this.finish();
    this.driver.pipe(TOPICS.rules, given.userKey, this.model.rule(given));
    await this.#surviving(async () => {
      // The second round to come is triggered after the rule was piped, and every task reads up to it (R9).
      const { completed } = this.driver.overview().checkpoints;
      await this.driver.until(() => this.driver.overview().checkpoints.completed >= completed + 2);
    });
  }

  /** Time passes until all state that fades is gone. */
  async expire(): Promise<void> {
    this.model.expire();
    await this.driver.advance(TTL_MS);
  }

  /** The process is down until all state that fades is gone. */
  async expireWhileDown(): Promise<void> {
    await this.finish();
    this.model.expire();
    await this.driver.crash();
    await this.driver.advance(TTL_MS);
    await this.crash(false);
  }

  /** Commits all there is, however often a planned fault kills the process on the way. */
  finish(): Promise<void> {
    return this.#surviving(() => this.driver.checkpoint());
  }

  async #surviving(act: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await act();
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
        await this.crash(false);
      }
    }
  }

  /** @param withoutFiles what the stores held is lost too */
  async crash(withoutFiles: boolean): Promise<void> {
    for (;;) {
      await this.driver.crash();
      await this.#prepared.crash();
      if (withoutFiles) await this.harness.wipe();
      await this.#prepared.prepare('test');
      try {
        await this.driver.recover();
        return;
      } catch (thrown) {
        if (!(thrown instanceof ProcessKilled)) throw thrown;
      }
    }
  }

  async restartAs(definition: JobDefinition): Promise<void> {
    const { clock, cluster } = this.driver;
    await this.end();
    this.#driver = await this.#startDriver(definition, clock, cluster);
  }

  async end(): Promise<void> {
    await this.driver.crash();
    await this.#prepared.crash();
  }

  /**
   * What is wrong with the results, and with what is kept: nothing is left of what was removed.
   * @param sweptAll whether what has expired was swept, too
   */
  differences(sweptAll = true): string[] {
    const found = this.model.differences(this.driver.readAll(TOPICS.results));
    // Beside the states there is an epoch record and a catalogue for each task.
    const rows = this.#kept().reduce((sum, entries) => sum + entries.size, 0);
    const expected = this.model.rows + 2 * PARTITIONS;
    if (sweptAll && rows !== expected) found.push(`${rows} rows are kept and not ${expected}`);
    return found;
  }

  /** Where state is durable: in the changelogs; or in snapshots, which the stores were restored from and agree with. */
  #kept(): readonly ReadonlyMap<string, Buffer>[] {
    return this.harness.factory.kind === 'filesystem' ? this.#prepared.contents() : [...this.driver.changelogs().values()];
  }

  verifyOutputs(): void {
    expect(this.model.differences(this.driver.readAll(TOPICS.results))).toEqual([]);
  }

  /** Output and committed state are those of the model. */
  verify(): void {
    expect(this.differences()).toEqual([]);
    const { value, list, map, reducing, aggregating } = descriptorsOf();
    const committed = new CommittedState(this.#kept(), 'states', latin1, 128);
    for (const key of this.model.keysOf('states')) {
      const model = this.model.keyed('states', key);
      const name = key.slice(-10);
      expect([name, committed.value(value, key), committed.value(reducing, key), committed.value(aggregating, key)]).toEqual([name, model.value, model.reducing, model.aggregating]);
      expect([name, committed.list(list, key), committed.map(map, key)]).toEqual([name, model.list, model.entries]);
    }
  }
}
