import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { float64, type JobDefinition, type KeyedContext, KeyedFlatMap, listState, type StateBackendFactory, type StateOptions, utf8 } from '@weir/core';
import { JobTestDriver, ProcessKilled } from '../driver/job-test-driver.js';
import { InMemoryCluster } from '../memory-log/in-memory-cluster.js';
import { ManualClock } from '../manual-clock.js';
import { SeededRandom } from '../seeded-random.js';
import { ACTS, descriptorsOf, type Kind, KINDS, type Operation, OPERATIONS, OPERATOR, PlainStates, type Result, RESULTS, statesJob } from './keyed-state-job.js';
import { PreparedBackend } from './prepared-backend.js';

/**
 * Conformance suite of keyed state: a whole job, with every kind of state, on a backend; through checkpoints, crashes at any point of a
 * commit, and restores with local files and without. What it gives out and what it keeps is compared with plain variables.
 */
export interface KeyedStateHarness {
  /** Each `open` acts like a new process over the same place. */
  readonly factory: StateBackendFactory;
  /** Loses all that the stores hold; none is open. */
  wipe(): Promise<void>;
  /** Removes all that the harness made. */
  dispose(): Promise<void>;
}

const PARTITIONS = 2;
const KEYS = ['', 'a', 'ab', 'b', '\0\0\0\0', 'ü', 'c', 'd'];
const USER_KEYS = ['', 'x', 'xy', '\0', 'ü', '\u{1F600}'];

export function describeKeyedStateConformance(name: string, makeHarness: () => Promise<KeyedStateHarness>): void {
  describe(`keyed state on ${name}`, () => {
    let harness: KeyedStateHarness;
    let job: StatesRig;

    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(async () => {
      await job.end();
      await harness.dispose();
    });
    const start = async (seed: number, options?: StateOptions): Promise<StatesRig> => (job = await StatesRig.start(harness, seed, options));

    describe.each(KINDS)('%s state', (kind) => {
      it('gives the same in the epoch that writes it, in a later one, after a crash with local files, and after one without', async () => {
        const rig = await start(1);
        for (const next of ['same epoch', 'checkpoint', 'crash', 'crash without files'] as const) {
          for (const key of KEYS) rig.pipe(20, { key, kind });
          if (next !== 'same epoch') await rig.finish();
          if (next.startsWith('crash')) await rig.crash(next === 'crash without files');
          for (const key of KEYS) rig.pipe(5, { key, kind });
        }
        await rig.finish();
        rig.verify();
      });
    });

    it.each([1, 2, 3])('of every kind is exactly once through kills at any point of a commit, and lost files: seed %i', async (seed) => {
      const rig = await start(seed);
      const kills = rig.driver.cluster.faults.randomly({
        points: ['append:send', 'append:applied', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied'],
        probability: 0.02,
        action: () => ({ type: 'kill' }),
      });
      for (let round = 0; round < 15; round++) {
        rig.pipe(60);
        await rig.finish();
        if (rig.random.chance(0.3)) await rig.crash(rig.random.chance(0.5));
      }
      kills.remove();
      await rig.crash(false);
      await rig.finish();
      rig.verify();
      expect(kills.hits).toBeGreaterThan(0);
    });

    it('that has expired stays dropped after a restore, with local files and without, and leaves the changelog', async () => {
      const rig = await start(4, { ttl: { ms: 60_000 } });
      for (const kind of KINDS) rig.pipe(40, { kind });
      await rig.finish();
      rig.verify();
      rig.expire();
      await rig.driver.advance(60_000);
      for (const wiped of [false, true]) {
        await rig.crash(wiped);
        for (const key of KEYS) for (const [kind, act] of READS) rig.pipe(1, { key, kind, act });
        await rig.finish();
        rig.verifyOutputs();
      }
      // A sweep takes a few commits, each of some records.
      for (let round = 0; round < 8; round++) {
        await rig.driver.advance(20_000);
        for (const key of KEYS) rig.pipe(1, { key, kind: 'value', act: 'get' });
        await rig.finish();
      }
      rig.verify();
    });

    it('is refused to a job that declares it as another kind', async () => {
      const rig = await start(5);
      rig.pipe(20);
      await rig.finish();
      const refused = { code: 'STATE_INCOMPATIBLE', message: expect.stringContaining('state "map" of operator "states" was a map state and is a list state') as unknown as string };
      await expect(rig.restartAs(jobWithMapAsList)).rejects.toMatchObject(refused);
    });
  });
}

class MapAsList extends KeyedFlatMap<string, Operation, Result> {
  override open(context: KeyedContext<string>): void {
    const { value, list, reducing, aggregating } = descriptorsOf();
    context.state(value);
    context.state(list);
    context.state(listState('map', float64));
    context.state(reducing);
    context.state(aggregating);
  }

  override flatMap(): void {
    // It never comes to this.
  }
}

const jobWithMapAsList: JobDefinition = {
  define: (streams) =>
    streams
      .source('operations', OPERATIONS)
      .keyBy(utf8, ({ key }) => key, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap<Result>(OPERATOR, () => new MapAsList())
      .sink('results', RESULTS),
};

const READS: readonly (readonly [Kind, string])[] = [
  ['value', 'get'],
  ['list', 'get'],
  ['map', 'get'],
  ['map', 'entries'],
  ['map', 'isEmpty'],
  ['reducing', 'get'],
  ['aggregating', 'get'],
];

/** Pipes operations, and knows what must come of them. */
class StatesRig {
  readonly random: SeededRandom;
  readonly #models = new Map<string, PlainStates>();
  readonly #expected = new Map<string, string[]>();
  readonly #prepared: PreparedBackend;
  #driver!: JobTestDriver;
  #n = 0;

  private constructor(
    private readonly harness: KeyedStateHarness,
    private readonly seed: number,
    private readonly options: StateOptions,
  ) {
    this.random = new SeededRandom(seed).fork(4);
    this.#prepared = new PreparedBackend(harness.factory, PARTITIONS);
  }

  static async start(harness: KeyedStateHarness, seed: number, options: StateOptions = {}): Promise<StatesRig> {
    const rig = new StatesRig(harness, seed, options);
    const clock = new ManualClock({ seed });
    rig.#driver = await rig.#startDriver(statesJob(options), clock, new InMemoryCluster({ clock, seed }));
    return rig;
  }

  get driver(): JobTestDriver {
    return this.#driver;
  }

  async #startDriver(definition: JobDefinition, clock: ManualClock, cluster: InMemoryCluster): Promise<JobTestDriver> {
    await this.#prepared.prepare('test');
    return JobTestDriver.start(definition, {
      topics: { [OPERATIONS.topic]: PARTITIONS, [RESULTS.topic]: PARTITIONS },
      outputs: [RESULTS.topic],
      // A cache of few keys, so that most state comes from the store.
      settings: { checkpointing: { interval: 100 }, state: { cacheEntries: 3 } },
      seed: this.seed,
      clock,
      cluster,
      state: () => this.#prepared.forJob(),
    });
  }

  /** Operations on keys of its own choice, as far as `fixed` leaves any. */
  pipe(count: number, fixed: Partial<Operation> = {}): void {
    const { random } = this;
    for (let i = 0; i < count; i++) {
      const kind = fixed.kind ?? random.pick(KINDS);
      const operation = { key: random.pick(KEYS), userKey: random.pick(USER_KEYS), act: random.pick(ACTS[kind]), ...fixed, kind, n: ++this.#n };
      const model = this.#models.get(operation.key) ?? new PlainStates();
      this.#models.set(operation.key, model);
      const results = this.#expected.get(operation.key) ?? [];
      results.push(JSON.stringify({ n: operation.n, result: model.run(operation) }));
      this.#expected.set(operation.key, results);
      this.driver.pipe(OPERATIONS, operation.key, operation);
    }
  }

  /** All state is old enough to be gone. */
  expire(): void {
    for (const key of this.#models.keys()) this.#models.set(key, new PlainStates());
  }

  /** Commits all there is, however often a planned fault kills the process on the way. */
  async finish(): Promise<void> {
    for (;;) {
      try {
        await this.driver.checkpoint();
        return;
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

  /** Every operation gave one result, in order per key, and the right one. */
  verifyOutputs(): void {
    const seen = new Map<string, string[]>();
    for (const { key, value } of this.driver.readAll(RESULTS)) seen.set(key!, [...(seen.get(key!) ?? []), JSON.stringify(value)]);
    const sorted = (results: ReadonlyMap<string, string[]>): unknown => [...results].sort(([a], [b]) => (a < b ? -1 : 1));
    expect(sorted(seen)).toEqual(sorted(this.#expected));
  }

  /** Output and committed state are those of the model, and nothing is left of what was removed. */
  verify(): void {
    this.verifyOutputs();
    const committed = this.driver.committedState(OPERATOR, utf8);
    const { value, list, map, reducing, aggregating } = descriptorsOf(this.options);
    let entries = 0;
    for (const [key, model] of this.#models) {
      expect([key, committed.value(value, key), committed.value(reducing, key), committed.value(aggregating, key)]).toEqual([key, model.value, model.reducing, model.aggregating]);
      expect([key, committed.list(list, key), committed.map(map, key)]).toEqual([key, model.list, model.entries]);
      entries += [model.value, model.reducing, model.aggregating].filter((one) => one !== undefined).length + model.list.length + model.map.size;
    }
    // Beside the states there is an epoch record and a catalogue for each task.
    const rows = [...this.driver.changelogs().values()].reduce((sum, changelog) => sum + changelog.size, 0);
    expect(rows).toBe(entries + 2 * PARTITIONS);
  }
}
