import { describe, expect, it } from '@jest/globals';
import { JobTestDriver } from '@weir/testing';
import { utf8 } from '../codec/primitives.js';
import { type Collector, type KeyedBroadcastContext, KeyedBroadcastProcess } from '../topology/functions.js';
import { broadcastState, type BroadcastState } from '../state/operator-state.js';
import { topic } from '../topology/topic.js';
import type { JobDefinition } from './job-definition.js';
import { StagesRig, twoStages } from './stages-rig.spec-d.js';

const text = (name: string) => topic(name, { key: utf8, value: utf8 });

/** Puts the newest broadcast word behind every record. */
class Labels extends KeyedBroadcastProcess<string, string, string, string> {
  #word!: BroadcastState<string, string>;

  override open(context: KeyedBroadcastContext<string>): void {
    this.#word = context.broadcastState(broadcastState('word', utf8, utf8));
  }

  override process(value: string, out: Collector<string>): void {
    out.collect(`${value} ${this.#word.get('word') ?? 'none'}`);
  }

  override processBroadcast(word: string): void {
    this.#word.put('word', word);
  }
}

const labelling: JobDefinition = {
  define: (streams) =>
    streams
      .source('in', text('in'))
      .keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'auto' } })
      .connect(streams.source('words', text('words')).broadcast())
      .process('labels', () => new Labels())
      .sink('out', text('out')),
};

const RESTARTS = { type: 'fixed-delay', attempts: 1_000_000, delay: 10 } as const;
const OFF = { checkpointing: { enabled: false, interval: 100 }, restartStrategy: RESTARTS } as const;

describe('a job with checkpointing off', () => {
  it('commits by itself every interval, without rounds, and says at its start what that means', async () => {
    const rig = await StagesRig.start(twoStages, 1, { settings: OFF });
    rig.pipe(200);
    expect(await rig.finish()).toBe(0);
    rig.verify();
    const { telemetry } = rig.driver;
    expect(rig.driver.overview().checkpoints).toMatchObject({ completed: 0, failed: 0, history: [] });
    expect(telemetry.of('task-commit').every(({ checkpoint }) => checkpoint === undefined)).toBe(true);
    expect(telemetry.of('job-notice').map(({ message }) => message)).toEqual([expect.stringMatching(/^checkpointing is off: .* each 100 ms/)]);
  });

  it.each([1, 2, 3, 4])('repeats and loses nothing when it is killed anywhere, again and again: seed %i', async (seed) => {
    const rig = await StagesRig.start(twoStages, seed, { settings: OFF });
    const kills = rig.driver.cluster.faults.randomly({
      points: ['append:send', 'append:applied', 'addOffsets:send', 'addOffsets:applied', 'commit:send', 'commit:applied', 'commit:replied', 'fetch:replied', 'openWriter:applied'],
      probability: 0.006,
      action: () => ({ type: 'kill' }),
    });
    for (let round = 0; round < 12; round++) {
      rig.pipe(30);
      if (rig.random.chance(0.2)) rig.driver.disk.wipe();
      await rig.finish();
    }
    kills.remove();
    rig.verify();
    expect(kills.hits).toBeGreaterThan(3);
  });
});

describe('where checkpointing was switched off', () => {
  it('a round that was open then is abandoned, and the job goes on', async () => {
    const rig = await StagesRig.start(twoStages, 1, { settings: OFF });
    const trigger = JSON.stringify({ version: 1, type: 'triggered', id: 3, at: 0, broadcastEnds: [] });
    rig.driver.cluster.produce('test-control', 0, [{ key: Buffer.from('round'), value: Buffer.from(trigger), timestamp: 0, headers: [] }]);
    rig.pipe(100);
    await rig.finish();
    rig.verify();
    expect(rig.driver.overview().checkpoints.history).toMatchObject([{ id: 3, outcome: 'abandoned' }]);
  });

  it('broadcast streams are read as they come', async () => {
    const driver = await JobTestDriver.start(labelling, { topics: { in: 2, words: 1, out: 1 }, outputs: ['out', 'words'], settings: OFF });
    driver.pipe(text('words'), null, 'first');
    await driver.advance(500);
    for (const key of ['a', 'b', 'c', 'd']) driver.pipe(text('in'), key, key);
    await driver.checkpoint();
    await driver.crash();
    await driver.recover();
    driver.pipe(text('in'), 'a', 'a');
    await driver.checkpoint();
    expect(driver.readAll(text('out')).map(({ value }) => value).sort()).toEqual(['a first', 'a first', 'b first', 'c first', 'd first']);
  });
});
