import { describe, expect, it } from '@jest/globals';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { PARTITIONERS } from '../model/partitioner.js';
import { valueState } from '../state/descriptors.js';
import type { ValueState } from '../state/value-state.js';
import { type Collector, type KeyedContext, KeyedFlatMap } from '../topology/functions.js';
import { topic } from '../topology/topic.js';
import { BY_KEY, IN, lyingIn, ONE, OUT, PipelineRig } from './pipeline-rig.spec-d.js';
import { chunkOf } from './task-rig.spec-d.js';

class Probe extends KeyedFlatMap<string, string, string> {
  readonly log: string[];
  #context!: KeyedContext<string>;
  #last!: ValueState<string>;

  constructor(log: string[]) {
    super();
    this.log = log;
  }

  override open(context: KeyedContext<string>): void {
    this.#context = context;
    this.log.push(`open ${context.operator} ${context.taskIndex} of ${context.parallelism}, attempt ${context.attempt}`);
    this.#last = context.state(valueState('last', utf8));
  }

  override flatMap(value: string, out: Collector<string>): void {
    out.collect(`${this.#context.currentKey()} at ${this.#context.timestamp()} was ${this.#last.value() ?? 'nothing'}`);
    this.#last.update(value);
  }

  override close(): void {
    this.log.push('close');
  }
}

const probing =
  (make: () => KeyedFlatMap<string, string, string>, partition = 0): JobDefinition['define'] =>
  (streams) =>
    streams
      .source('in', IN)
      .keyBy(utf8, (text) => text.slice(0, 1), lyingIn(partition))
      .flatMap('probe', make)
      .sink('out', OUT);

describe("a user's function", () => {
  it('knows where it runs, and of which record', () => {
    const log: string[] = [];
    const rig = new PipelineRig(probing(() => new Probe(log), 2), { topics: { in: 3, out: 1 }, plan: 2, attempt: 4 });
    rig.feed([{ value: 'a1', timestamp: 5 }, { value: 'b1', timestamp: 6 }, { value: 'a2', timestamp: 7 }], 'in', 2);
    expect(log).toEqual(['open probe 2 of 3, attempt 4']);
    expect(rig.values).toEqual(['a at 5 was nothing', 'b at 6 was nothing', 'a at 7 was a1']);
    rig.pipeline.close();
    expect(log.at(-1)).toBe('close');
  });

  it('has no key in open', () => {
    const eager = new (class extends Probe {
      override open(context: KeyedContext<string>): void {
        context.currentKey();
      }
    })([]);
    const thrown = thrownBy(() => new PipelineRig(probing(() => eager)));
    expect([thrown.code, thrown.message]).toEqual(['STATE_OUTSIDE_KEY', expect.stringContaining('State currentKey() of operator probe') as unknown]);
  });

  it('declares its states in open and never later', () => {
    let context!: KeyedContext<string>;
    const late = new (class extends Probe {
      override open(given: KeyedContext<string>): void {
        context = given;
      }
    })([]);
    new PipelineRig(probing(() => late));
    expect(thrownBy(() => context.state(valueState('late', utf8))).message).toContain('it is registered after open');
  });

  it('is closed when the pipeline cannot be built, also when its own open failed', () => {
    const log: string[] = [];
    const failing = class extends Probe {
      override open(): void {
        throw new Error('cannot open');
      }
    };
    const define: JobDefinition['define'] = (streams) => {
      const keyed = streams.source('in', IN).keyBy(utf8, (text) => text, lyingIn(0));
      keyed.flatMap('failing', () => new failing(log)).sink('out', OUT);
      keyed.flatMap('fine', () => new Probe(log)).sink('again', topic('again', { key: utf8, value: utf8 }));
    };
    expect(() => new PipelineRig(define, ONE)).toThrow('cannot open');
    expect(log).toEqual(['open fine 0 of 1, attempt 0', 'close', 'close']);
  });

  it('is closed although another could not be, and the first error is told', () => {
    const log: string[] = [];
    const stuck = class extends Probe {
      override close(): void {
        throw new Error('stuck');
      }
    };
    const define: JobDefinition['define'] = (streams) => {
      const keyed = streams.source('in', IN).keyBy(utf8, (text) => text, lyingIn(0));
      keyed.flatMap('fine', () => new Probe(log)).sink('out', OUT);
      keyed.flatMap('stuck', () => new stuck(log)).sink('again', topic('again', { key: utf8, value: utf8 }));
    };
    const rig = new PipelineRig(define, ONE);
    expect(() => rig.pipeline.close()).toThrow('stuck');
    expect(log.at(-1)).toBe('close');
  });

  it('is made once per pipeline', () => {
    let made = 0;
    const define = probing(() => {
      made++;
      return new Probe([]);
    });
    new PipelineRig(define).feed([{ value: 'a' }, { value: 'b' }]);
    new PipelineRig(define);
    expect(made).toBe(2);
  });
});

describe('what a pipeline declares for the catalogue', () => {
  const define: JobDefinition['define'] = (streams) => {
    const keyed = streams.source('in', IN).keyBy(utf8, (text) => text, BY_KEY);
    keyed.filterWithState('z', float64, () => ({ state: 1, keep: true }));
    keyed.filterWithState('a', json<number>(), () => ({ state: 1, keep: true }));
  };

  it('is the operators with state, by name, with codecs and versions', () => {
    const declared = new PipelineRig(define).pipeline.operatorDeclarations();
    expect(Object.keys(declared)).toEqual(['a', 'z']);
    expect(declared['z']).toMatchObject({ keyCodec: 'utf8', keyVersion: 1, states: { state: { kind: 'value', codec: 'float64', version: 1 } } });
    expect(declared['z']).not.toHaveProperty('partitioner');
  });

  it('has the partitioner once the keys told, and takes up one that was recorded', () => {
    const rig = new PipelineRig(define);
    const key = Array.from({ length: 20 }, (_, i) => `s${i}`).find((each) => PARTITIONERS.crc32(Buffer.from(each), 0, each.length, 4) !== PARTITIONERS.murmur2(Buffer.from(each), 0, each.length, 4))!;
    rig.process(chunkOf('in', PARTITIONERS.crc32(Buffer.from(key), 0, key.length, 4), [{ value: key }]));
    expect(rig.pipeline.operatorDeclarations()['a']).toMatchObject({ partitioner: 'crc32' });
    const restarted = new PipelineRig(define);
    restarted.pipeline.adoptPartitioners(rig.pipeline.operatorDeclarations());
    expect(restarted.pipeline.operatorDeclarations()['z']).toMatchObject({ partitioner: 'crc32' });
    restarted.pipeline.adoptPartitioners({});
  });
});
