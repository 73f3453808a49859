import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { PARTITIONERS } from '../model/partitioner.js';
import { valueState } from '../state/descriptors.js';
import { operatorListState, type OperatorListState } from '../state/operator-state.js';
import type { ValueState } from '../state/value-state.js';
import { CoFlatMap, CoMap, CoProcess, KeyedCoFlatMap, KeyedCoMap, KeyedCoProcess } from '../topology/co-functions.js';
import { type Collector, type KeyedContext, type OperatorContext, OutputTag } from '../topology/functions.js';
import { type KeyByOptions, topic } from '../topology/topic.js';
import { BY_KEY, IN, lyingIn, ONE, OUT, PipelineRig } from './pipeline-rig.spec-d.js';
import { plansOf, repartitionTopicOf } from './task-rig.spec-d.js';

const MORE = topic('more', { key: utf8, value: utf8 });
const keyOf = (text: string): string => text.slice(0, 1);

/** Counts per key, over both sides. */
class Counting extends KeyedCoFlatMap<string, string, string, string> {
  #count!: ValueState<number>;

  override open(context: KeyedContext<string>): void {
    this.#count = context.state(valueState('count', float64, { default: 0 }));
  }
  override flatMap1(text: string, out: Collector<string>): void {
    out.collect(`1:${text}:${this.#next()}`);
  }
  override flatMap2(text: string, out: Collector<string>): void {
    out.collect(`2:${text}:${this.#next()}`);
  }
  #next(): number {
    const count = this.#count.value()! + 1;
    this.#count.update(count);
    return count;
  }
}
const counting: JobDefinition['define'] = (streams) =>
  streams
    .source('in', IN)
    .keyBy(utf8, keyOf, BY_KEY)
    .connect(streams.source('more', MORE).keyBy(utf8, keyOf, BY_KEY))
    .flatMap('counting', () => new Counting())
    .sink('out', OUT);

describe('two keyed streams in one function', () => {
  it('share their state, each side in its order', () => {
    const rig = new PipelineRig(counting, ONE);
    rig.feed([{ value: 'a1' }, { value: 'b1' }]).feed([{ value: 'a2' }, { value: 'a3' }], 'more').feed([{ value: 'a4' }]);
    expect(rig.values).toEqual(['1:a1:1', '1:b1:1', '2:a2:2', '2:a3:3', '1:a4:4']);
    expect(rig.out[0]).toBe('out-0 a=1:a1:1');
  });

  it('share it whichever way their keys come: by shuffles, or one of them', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, keyOf, BY_KEY)
          .connect(streams.source('more', MORE).keyBy(utf8, keyOf, { name: 'by-letter' }))
          .flatMap('counting', () => new Counting())
          .sink('out', OUT),
      { ...ONE, plan: 0 },
    );
    rig.feed([{ value: 'a1' }]).feed([{ key: 'a', value: 'a2' }], repartitionTopicOf('by-letter'));
    expect(rig.values).toEqual(['1:a1:1', '2:a2:2']);
  });

  it('lose nothing where both come from one chunk and the cache is smaller than it: nothing gathered is evicted', () => {
    const both: JobDefinition['define'] = (streams) => {
      const texts = streams.source('in', IN);
      const anywhere = lyingIn(0);
      const byLast = texts.keyBy(utf8, (text) => text.slice(-1), anywhere);
      texts.keyBy(utf8, keyOf, anywhere).connect(byLast).flatMap('counting', () => new Counting()).sink('out', OUT);
    };
    fc.assert(
      fc.property(fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.constantFrom('a', 'b', 'c', 'd')), { maxLength: 9 }), { maxLength: 5 }), (chunks) => {
        const rig = new PipelineRig(both, { ...ONE, settings: { state: { cacheEntries: 1 } } });
        const counts = new Map<string, number>();
        const next = (key: string): number => counts.set(key, (counts.get(key) ?? 0) + 1).get(key)!;
        const expected = chunks.flatMap((chunk) => {
          rig.feed(chunk.map(([first, last]) => ({ value: `${first}${last}` })));
          return [...chunk.map(([first, last]) => `2:${first}${last}:${next(last)}`), ...chunk.map(([first, last]) => `1:${first}${last}:${next(first)}`)];
        });
        expect(rig.values).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('take each of their records on both sides where a stream is connected with itself', () => {
    const rig = new PipelineRig((streams) => {
      const keyed = streams.source('in', IN).keyBy(utf8, keyOf, BY_KEY);
      keyed.connect(keyed).flatMap('counting', () => new Counting()).sink('out', OUT);
    }, ONE);
    expect(rig.feed([{ value: 'a' }]).values).toEqual(['1:a:1', '2:a:2']);
  });

  it('may be mapped', () => {
    class Naming extends KeyedCoMap<string, string, string, string> {
      override map1(text: string): string {
        return `first ${text}`;
      }
      override map2(text: string): string {
        return `second ${text}`;
      }
    }
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, keyOf, BY_KEY)
          .connect(streams.source('more', MORE).keyBy(utf8, keyOf, BY_KEY))
          .map('naming', () => new Naming())
          .sink('out', OUT),
      ONE,
    );
    expect(rig.feed([{ value: 'a' }]).feed([{ value: 'b' }], 'more').values).toEqual(['first a', 'second b']);
  });

  it('have side outputs, and timers that put out with their time', () => {
    const late = new OutputTag<string>('late');
    class Waiting extends KeyedCoProcess<string, string, string, string> {
      #context!: KeyedContext<string>;
      override open(context: KeyedContext<string>): void {
        this.#context = context;
      }
      override process1(text: string): void {
        this.#context.timerService.registerProcessingTimeTimer(Number(text.slice(1)));
      }
      override process2(text: string): void {
        this.#context.output(late, text);
      }
      override onTimer(at: number, out: Collector<string>): void {
        out.collect(`${this.#context.currentKey()} at ${at}, ${this.#context.timestamp()}`);
      }
    }
    const rig = new PipelineRig((streams) => {
      const waiting = streams
        .source('in', IN)
        .keyBy(utf8, keyOf, BY_KEY)
        .connect(streams.source('more', MORE).keyBy(utf8, keyOf, BY_KEY))
        .process('waiting', () => new Waiting());
      waiting.sink('out', OUT);
      waiting.sideOutput(late).sink('late', topic('late', { key: utf8, value: utf8 }));
    }, ONE);
    rig.feed([{ value: 'a7' }, { value: 'b5' }]).feed([{ value: 'c' }], 'more');
    rig.pipeline.fireTimers(10, rig.store);
    expect(rig.out).toEqual(['late-0 c=c', 'out-0 b=b at 5, 5', 'out-0 a=a at 7, 7']);
  });
});

describe('keys of connected streams', () => {
  const telling = Array.from({ length: 50 }, (_, i) => `key-${i}`).filter((key) => placeOf('murmur2', key) !== placeOf('crc32', key));
  function placeOf(name: 'murmur2' | 'crc32', key: string): number {
    return PARTITIONERS[name](Buffer.from(key), 0, Buffer.byteLength(key), 4);
  }
  const connected =
    (right: KeyByOptions<string>): JobDefinition['define'] =>
    (streams) =>
      streams
        .source('in', IN)
        .keyBy(utf8, (text) => text, BY_KEY)
        .connect(streams.source('more', MORE).keyBy(utf8, (text) => text, right))
        .flatMap('counting', () => new Counting())
        .sink('out', OUT);

  it('are checked on each side, also those that the other side has brought into the cache', () => {
    const [key] = telling as [string];
    const rig = new PipelineRig(connected(BY_KEY), { topics: { in: 4, more: 4 }, settings: { parallelism: 1 } });
    rig.feed([{ value: key }], 'in', placeOf('crc32', key));
    const thrown = thrownBy(() => rig.feed([{ value: key, offset: 7 }], 'more', placeOf('murmur2', key)));
    expect([thrown.code, thrown.kind]).toEqual(['KEY_ELSEWHERE', 'invalid']);
    expect(thrown.message).toContain('keyBy on more is declared alreadyPartitioned (auto, by earlier keys and what it is connected with, "keyBy-1", crc32)');
    expect(thrown.message).toContain('where murmur2 would put it');
  });

  it('are found where a shuffle puts them, by murmur2: auto takes no other beside one', () => {
    const [key] = telling as [string];
    const rig = new PipelineRig(connected({ name: 'by-text' }), { topics: { in: 4, more: 4 }, settings: { parallelism: 1 } });
    rig.feed([{ value: key }], 'in', placeOf('murmur2', key));
    const thrown = thrownBy(() => new PipelineRig(connected({ name: 'by-text' }), { topics: { in: 4, more: 4 }, settings: { parallelism: 1 } }).feed([{ value: key }], 'in', placeOf('crc32', key)));
    expect(thrown.message).toContain('what it is connected with, "by-text", murmur2');
  });

  it('lie in topics with the same number of partitions, or the job is refused by both names', () => {
    const thrown = thrownBy(() => plansOf(counting, { topics: { in: 4, more: 3 } }));
    expect([thrown.code, thrown.kind]).toEqual(['PARTITION_COUNTS_DIFFER', 'invalid']);
    expect(thrown.message).toContain('in has 4, more has 3. Give them the same number of partitions, or key one of them anew.');
  });

  it('are shuffled to as many partitions as the other side has', () => {
    const plans = plansOf(connected({ name: 'by-text' }), { topics: { in: 4, more: 7 } });
    expect(plans[0]!.inputs.map(({ topic: name, partitions }) => [name, partitions])).toEqual([['in', 4], [repartitionTopicOf('by-text'), 4]]);
  });
});

describe('two streams without keys in one function', () => {
  it('may be mapped, and keep the keys of their records', () => {
    class Naming extends CoMap<string, string, string> {
      override map1(text: string): string {
        return `first ${text}`;
      }
      override map2(text: string): string {
        return `second ${text}`;
      }
    }
    const rig = new PipelineRig((streams) => streams.source('in', IN).connect(streams.source('more', MORE)).map('naming', () => new Naming()).sink('out', OUT), ONE);
    rig.feed([{ key: 'k', value: 'a' }]).feed([{ key: 'l', value: 'b' }], 'more');
    expect(rig.out).toEqual(['out-0 k=first a', 'out-0 l=second b']);
  });

  it('share operator state and fields', () => {
    class Switch extends CoFlatMap<string, string, string> {
      #words!: OperatorListState<string>;
      override open(context: OperatorContext): void {
        this.#words = context.operatorState(operatorListState('words', utf8));
      }
      override flatMap1(text: string, out: Collector<string>): void {
        if (this.#words.get().includes(text)) out.collect(text);
      }
      override flatMap2(word: string): void {
        this.#words.add(word);
      }
    }
    const rig = new PipelineRig((streams) => streams.source('in', IN).connect(streams.source('more', MORE)).flatMap('switch', () => new Switch()).sink('out', OUT), ONE);
    rig.feed([{ value: 'a' }]).feed([{ value: 'a' }], 'more').feed([{ value: 'a' }, { value: 'b' }]);
    expect(rig.values).toEqual(['a']);
  });

  it('have side outputs', () => {
    const odd = new OutputTag<number>('odd');
    class Sorting extends CoProcess<string, string, string> {
      #context!: OperatorContext;
      override open(context: OperatorContext): void {
        this.#context = context;
      }
      override process1(text: string, out: Collector<string>): void {
        out.collect(text);
      }
      override process2(text: string): void {
        this.#context.output(odd, text.length);
      }
    }
    const rig = new PipelineRig((streams) => {
      const sorting = streams.source('in', IN).connect(streams.source('more', MORE)).process('sorting', () => new Sorting());
      sorting.sink('out', OUT);
      sorting.sideOutput(odd).map(String).sink('lengths', topic('lengths', { key: utf8, value: utf8 }));
    }, ONE);
    rig.feed([{ key: 'k', value: 'a' }]).feed([{ key: 'l', value: 'bbb' }], 'more');
    expect(rig.out).toEqual(['out-0 k=a', 'lengths-0 l=3']);
  });
});
