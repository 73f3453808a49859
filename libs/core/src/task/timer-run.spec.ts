import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { type BroadcastState, broadcastState } from '../state/operator-state.js';
import { type Collector, type KeyedBroadcastContext, KeyedBroadcastProcess, type KeyedContext, KeyedFlatMap, KeyedProcess } from '../topology/functions.js';
import { topic } from '../topology/topic.js';
import { IN, lyingIn, ONE, OUT, PipelineRig } from './pipeline-rig.spec-d.js';

const seen: unknown[] = [];

/** Sets a timer for each `k5` at 5, and puts out what fires. */
class Alarm extends KeyedProcess<string, string, string> {
  #context!: KeyedContext<string>;
  override open(context: KeyedContext<string>): void {
    this.#context = context;
  }
  override process(text: string): void {
    this.#context.timerService.registerProcessingTimeTimer(Number(text.slice(1)));
  }
  override onTimer(at: number, out: Collector<string>): void {
    if (at === 13) throw new Error('unlucky');
    const { record } = this.#context;
    seen.push([record.topic, record.partition, record.timestamp, record.keyBytes(), record.keyAs(utf8), record.headers()]);
    out.collect(`${this.#context.currentKey()}${at}`);
  }
}
const alarms: JobDefinition['define'] = (streams) => {
  const anywhere = lyingIn(0);
  streams
    .source('in', IN)
    .keyBy(utf8, (text) => text.slice(0, 1), anywhere)
    .process('alarm', () => new Alarm())
    .keyBy(utf8, (text) => text, anywhere)
    .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: text }))
    .sink('out', OUT);
};

describe('timers that are due', () => {
  it('fire in the order of their times, and what they put out has their time, also behind another keyBy', () => {
    const rig = new PipelineRig(alarms, ONE);
    rig.feed([{ value: 'a7', timestamp: 1 }, { value: 'b5' }, { value: 'a6' }]);
    rig.pipeline.fireTimers(10, rig.store);
    const { records } = rig.effects.outputAppends()[0]!;
    expect([rig.values, [...records.timestamp.subarray(0, 3)]]).toEqual([['b5', 'a6', 'a7'], [5, 6, 7]]);
  });

  it('are records without key and headers to those that look at them', () => {
    seen.length = 0;
    const rig = new PipelineRig(alarms, ONE);
    rig.feed([{ value: 'a7', key: 'k', headers: Buffer.from('026b0476', 'hex') }]);
    rig.pipeline.fireTimers(10, rig.store);
    expect(seen).toEqual([['timers of alarm', -1, 7, null, null, []]]);
  });

  it('fire as many as are allowed at once, and the others at the next call', () => {
    const rig = new PipelineRig(alarms, ONE);
    rig.feed(Array.from({ length: 600 }, (_, i) => ({ value: `a${i + 100}` })));
    rig.pipeline.fireTimers(2, rig.store);
    expect(rig.values).toEqual(['a100', 'a101']);
    rig.pipeline.fireTimers(1_000, rig.store);
    expect(rig.values).toHaveLength(600);
    expect(rig.pipeline.nextTimerAt).toBeUndefined();
  });

  it('fire for functions beside a broadcast, too, which have broadcast state at hand', () => {
    class Reminder extends KeyedBroadcastProcess<string, string, string, string> {
      #context!: KeyedBroadcastContext<string>;
      #words!: BroadcastState<string, string>;
      override open(context: KeyedBroadcastContext<string>): void {
        this.#context = context;
        this.#words = context.broadcastState(broadcastState('words', utf8, utf8));
      }
      override process(text: string): void {
        this.#context.timerService.registerProcessingTimeTimer(Number(text.slice(1)));
      }
      override processBroadcast(word: string): void {
        this.#words.put('word', word);
      }
      override onTimer(at: number, out: Collector<string>): void {
        out.collect(`${this.#context.currentKey()}${at} ${this.#words.get('word')}`);
      }
    }
    const rig = new PipelineRig((streams) => {
      const words = streams.source('words', topic('words', { key: utf8, value: utf8 })).broadcast();
      streams.source('in', IN).keyBy(utf8, (text) => text.slice(0, 1), lyingIn(0)).connect(words).process('reminder', () => new Reminder()).sink('out', OUT);
    }, ONE);
    rig.feed([{ value: 'a7' }]).feed([{ value: 'hello' }], 'words');
    rig.pipeline.fireTimers(10, rig.store);
    expect(rig.out).toEqual(['out-0 a=a7 hello']);
  });

  it('name their operator when the function fails', () => {
    const rig = new PipelineRig(alarms, ONE);
    rig.feed([{ value: 'a13' }]);
    const thrown = thrownBy(() => rig.pipeline.fireTimers(10, rig.store));
    expect([thrown.code, thrown.message]).toEqual(['FUNCTION_FAILED', expect.stringContaining('Operator alarm failed on the record of timers of alarm') as unknown]);
  });

  it('cannot be set by a function that has no onTimer: they would be lost', () => {
    class Deaf extends KeyedFlatMap<string, string, string> {
      #context!: KeyedContext<string>;
      override open(context: KeyedContext<string>): void {
        this.#context = context;
      }
      override flatMap(_text: string, _out: Collector<string>): void {
        this.#context.timerService.registerProcessingTimeTimer(1);
      }
    }
    const rig = new PipelineRig((streams) => {
      streams.source('in', IN).keyBy(utf8, (text) => text, lyingIn(0)).flatMap('deaf', () => new Deaf()).sink('out', OUT);
    }, ONE);
    const thrown = thrownBy(() => rig.feed([{ value: 'a' }]));
    expect([thrown.code, thrown.kind, thrown.message]).toEqual(['TIMER_UNHEARD', 'invalid', expect.stringContaining('Operator deaf set a timer') as unknown]);
  });
});
