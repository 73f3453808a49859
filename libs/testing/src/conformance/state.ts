import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { float64, type JobDefinition, type KeyedContext, KeyedFlatMap, listState } from '@weir/core';
import { descriptorsOf, KINDS, latin1, type Operation, OPERATOR_KINDS, type Result, TOPICS } from './state-job.js';
import { type Given, KEYS, LARGE_KEYS, type StateHarness, StatesRig, USER_KEYS } from './states-rig.js';

export type { StateHarness } from './states-rig.js';

/**
 * Conformance suite of state: a whole job, with every kind of keyed state, operator state and broadcast state, on a backend; through
 * checkpoints, crashes at any point of a commit, and restores with local files and without, on keys of every sort. What it gives out and
 * what it keeps is compared with plain variables.
 */
export function describeStateConformance(name: string, makeHarness: () => Promise<StateHarness>): void {
  describe(`state on ${name}`, () => {
    let harness: StateHarness;
    let job: StatesRig | undefined;

    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(async () => {
      await job?.end();
      job = undefined;
      await harness.dispose();
    });
    const start = async (seed: number, intervalMs?: number): Promise<StatesRig> => (job = await StatesRig.start(harness, seed, intervalMs));

    describe.each<Given>([
      ...KINDS.map((kind) => ({ operator: 'states', kind }) as const),
      ...KINDS.map((kind) => ({ operator: 'fading', kind }) as const),
      ...OPERATOR_KINDS.map((kind) => ({ operator: 'lists', kind }) as const),
    ])('of $operator: $kind state', (given) => {
      it('gives the same in the epoch that writes it, in a later one, after a crash with local files, and after one without', async () => {
        const rig = await start(1);
        for (const next of STAGES) {
          for (const key of KEYS) rig.pipe(10, { key, ...given });
          if (next !== 'same epoch') await rig.finish();
          if (next.startsWith('crash')) await rig.crash(next === 'crash without files');
          for (const key of KEYS) rig.pipe(4, { key, ...given });
        }
        await rig.finish();
        rig.verify();
      });
    });

    it('that is broadcast is the same in every task, in a later epoch, after a crash with local files, and after one without', async () => {
      const rig = await start(2);
      for (const next of STAGES) {
        for (const userKey of USER_KEYS) await rig.rule({ act: rig.random.pick(['put', 'put', 'put', 'remove']), userKey });
        if (next.startsWith('crash')) await rig.crash(next === 'crash without files');
        for (const key of KEYS) rig.pipe(3, { key, operator: 'states', kind: 'broadcast' });
      }
      await rig.rule({ act: 'clear', userKey: '' });
      await rig.rule({ act: 'put', userKey: 'x' });
      for (const key of KEYS) rig.pipe(1, { key, operator: 'states', kind: 'broadcast', act: 'entries' });
      await rig.finish();
      rig.verify();
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
        if (rig.random.chance(0.3)) await rig.rule({ act: 'put', userKey: rig.random.pick(USER_KEYS) });
        if (rig.random.chance(0.3)) await rig.crash(rig.random.chance(0.5));
      }
      kills.remove();
      await rig.crash(false);
      await rig.finish();
      rig.verify();
      expect(kills.hits).toBeGreaterThan(0);
    });

    it('of keys and user keys of a megabyte keeps apart, and comes back after a crash without local files', async () => {
      const rig = await start(6);
      for (const wiped of [false, true]) {
        for (const key of LARGE_KEYS) {
          for (const kind of KINDS) rig.operate({ operator: 'states', kind, act: MAKES[kind], key, userKey: key });
        }
        await rig.finish();
        await rig.crash(wiped);
        for (const key of ['K', ...LARGE_KEYS]) for (const [kind, act] of READS) rig.operate({ operator: 'states', kind, act, key, userKey: LARGE_KEYS[0]! });
      }
      await rig.finish();
      rig.verify();
    });

    it('that has expired stays dropped after a restore, with local files and without, and leaves the changelog', async () => {
      const rig = await start(4, 1_000);
      for (const kind of KINDS) rig.pipe(40, { operator: 'fading', kind });
      await rig.finish();
      rig.verify();
      await rig.expire();
      for (const wiped of [false, true]) {
        await rig.crash(wiped);
        for (const key of KEYS) for (const [kind, act] of READS) rig.pipe(1, { operator: 'fading', key, kind, act });
        await rig.finish();
        rig.verifyOutputs();
      }
      // A sweep takes a few commits, each of some records.
      for (let round = 0; round < 8; round++) {
        await rig.driver.advance(2_000);
        for (const key of KEYS) rig.pipe(1, { operator: 'fading', key, kind: 'value', act: 'get' });
        await rig.finish();
      }
      rig.verify();
    });

    it('is refused to a job that declares it as another kind', async () => {
      const rig = await start(5);
      rig.pipe(20, { operator: 'fading' });
      await rig.finish();
      const refused = { code: 'STATE_INCOMPATIBLE', message: expect.stringContaining('state "map" of operator "fading" was a map state and is a list state') as unknown as string };
      await expect(rig.restartAs(jobWithMapAsList)).rejects.toMatchObject(refused);
    });
  });
}

const STAGES = ['same epoch', 'checkpoint', 'crash', 'crash without files'] as const;

/** What gives a kind something to keep. */
const MAKES = { value: 'update', list: 'add', map: 'put', reducing: 'add', aggregating: 'add' } as const;

const READS = [
  ['value', 'get'],
  ['list', 'get'],
  ['map', 'get'],
  ['map', 'entries'],
  ['map', 'isEmpty'],
  ['reducing', 'get'],
  ['aggregating', 'get'],
] as const;

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
      .source('operations', TOPICS.operations)
      .keyBy(latin1, ({ key }) => key, { alreadyPartitioned: { partitioner: 'murmur2' } })
      .flatMap<Result>('fading', () => new MapAsList())
      .sink('results', TOPICS.results),
};
