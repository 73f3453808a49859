import { describe, expect, it } from '@jest/globals';
import type { Codec } from '../codec/codec.js';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { epoch, offset } from '../model/brands.js';
import { PARTITIONERS } from '../model/partitioner.js';
import { RecordWriter } from '../model/record-columns.js';
import { aggregatingState, listState, mapState, reducingState, valueState } from '../state/descriptors.js';
import { broadcastState, operatorListState, type OperatorListState, unionListState } from '../state/operator-state.js';
import type { ValueState } from '../state/value-state.js';
import { KeyedCoMap } from '../topology/co-functions.js';
import {
  type Collector,
  type InitializationContext,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type KeyedContext,
  KeyedFlatMap,
  type OperatorContext,
  ProcessFunction,
} from '../topology/functions.js';
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

describe("the hooks of a user's function", () => {
  class Hooked extends ProcessFunction<string, string> {
    #words!: OperatorListState<string>;
    constructor(readonly acts: string[]) {
      super();
    }
    override open(context: OperatorContext): void {
      this.acts.push('open');
      this.#words = context.operatorState(operatorListState('words', utf8));
    }
    override initializeState({ isRestored }: InitializationContext): void {
      this.acts.push(`initializeState ${isRestored} ${this.#words.get().join(' ')}`);
    }
    override process(text: string): void {
      this.acts.push(text);
    }
    override snapshotState(): void {
      this.acts.push('snapshotState');
      this.#words.update(this.acts.filter((act) => act.length === 1));
    }
    override close(): void {
      this.acts.push('close');
    }
  }
  const hooked =
    (make: () => ProcessFunction<string, string>): JobDefinition['define'] =>
    (streams) =>
      streams.source('in', IN).process('hooked', make).sink('out', OUT);

  it('are called in their order, and operator state is there from initializeState on', () => {
    const acts: string[] = [];
    const rig = new PipelineRig(hooked(() => new Hooked(acts)), ONE);
    rig.feed([{ value: 'a' }, { value: 'b' }]);
    const changes = new RecordWriter();
    rig.pipeline.freeze(epoch(1), changes, 0);
    rig.pipeline.close();
    expect(acts).toEqual(['open', 'initializeState false ', 'a', 'b', 'snapshotState', 'close']);
    rig.store.applyNow(changes.columns);
    rig.store.position = { offset: offset(1), topicId: 't', leaderEpoch: 0, writtenAt: 0 };
    const again: string[] = [];
    new PipelineRig(hooked(() => new Hooked(again)), { ...ONE, store: rig.store });
    expect(again).toEqual(['open', 'initializeState true a b']);
  });

  it('fail their task by the name of hook and operator', () => {
    const failing = new (class extends Hooked {
      override snapshotState(): void {
        throw new Error('no room');
      }
    })([]);
    const rig = new PipelineRig(hooked(() => failing), ONE);
    const thrown = thrownBy(() => rig.pipeline.freeze(epoch(1), new RecordWriter(), 0));
    expect([thrown.code, thrown.kind, thrown.message]).toEqual(['HOOK_FAILED', 'restart-task', expect.stringContaining('snapshotState of operator hooked failed: no room.') as unknown]);
  });

  it('see errors of Weir as they are: state used too early, say', () => {
    const early = new (class extends Hooked {
      override open(context: OperatorContext): void {
        context.operatorState(operatorListState('words', utf8)).get();
      }
    })([]);
    expect(thrownBy(() => new PipelineRig(hooked(() => early), ONE)).message).toContain('State words of operator hooked: it is used before it was loaded');
  });
});

describe('prepare', () => {
  const prepared = (asked: string[], name: string): Codec<string> => ({ ...utf8, id: name, prepare: async () => void asked.push(name) });
  const askedBy = async (define: (codecOf: (name: string) => Codec<string>) => JobDefinition['define'], plan = 0): Promise<string[]> => {
    const asked: string[] = [];
    await new PipelineRig(define((name) => prepared(asked, name)), { ...ONE, plan }).pipeline.prepare();
    return asked.sort();
  };
  /** A keyed function that declares what it is given. */
  const declaring = (declare: (context: KeyedContext<string>) => void) => () =>
    new (class extends KeyedFlatMap<string, string, string> {
      override open(context: KeyedContext<string>): void {
        declare(context);
      }
      override flatMap(_text: string, _out: Collector<string>): void {
        // Gives nothing.
      }
    })();

  it('asks the codecs of sources and sinks', async () => {
    const asked = await askedBy((of) => (streams) => streams.source('in', topic('in', { key: of('k'), value: of('v') })).sink('out', topic('out', { key: of('K'), value: of('V') })));
    expect(asked).toEqual(['K', 'V', 'k', 'v']);
  });

  it('asks those of shuffles, on both of their sides', async () => {
    const define = (of: (name: string) => Codec<string>): JobDefinition['define'] => (streams) =>
      void streams.source('in', IN).keyBy(of('key'), (text) => text, { name: 'by', value: of('value') }).filterWithState('seen', of('state'), () => ({ state: '', keep: true }));
    expect(await askedBy(define, 0)).toEqual(['key', 'value']);
    expect(await askedBy(define, 1)).toEqual(['key', 'state', 'value']);
  });

  it('asks those of every kind of keyed state', async () => {
    const asked = await askedBy((of) => (streams) =>
      void streams.source('in', IN).keyBy(utf8, (text) => text, BY_KEY).flatMap(
        'declaring',
        declaring((context) => {
          context.state(valueState('value', of('value')));
          context.state(listState('list', of('list')));
          context.state(mapState('map', of('map-key'), of('map-value')));
          context.state(reducingState('reducing', of('reducing'), (a) => a));
          context.state(aggregatingState('aggregating', of('aggregating'), { createAccumulator: () => '', add: (text: string) => text, getResult: (text) => text, merge: (a) => a }));
        }),
      ),
    );
    expect(asked).toEqual(['aggregating', 'list', 'map-key', 'map-value', 'reducing', 'value']);
  });

  it('asks those of operator state, also of keyed operators', async () => {
    const asked = await askedBy((of) => (streams) =>
      void streams.source('in', IN).keyBy(utf8, (text) => text, BY_KEY).flatMap(
        'declaring',
        declaring((context) => {
          context.operatorState(operatorListState('list', of('list')));
          context.operatorState(unionListState('union', of('union')));
        }),
      ),
    );
    expect(asked).toEqual(['list', 'union']);
  });

  it('asks those of broadcasts and of broadcast state', async () => {
    const asked = await askedBy((of) => (streams) => {
      const rules = streams.source('rules', topic('rules', { key: of('k'), value: of('v') })).broadcast();
      class Checking extends KeyedBroadcastProcess<string, string, string, string> {
        override open(context: KeyedBroadcastContext<string>): void {
          context.broadcastState(broadcastState('rules', of('state-key'), of('state-value')));
        }
        override process(_text: string, _out: Collector<string>): void {
          // Gives nothing.
        }
        override processBroadcast(_rule: string): void {
          // Takes nothing.
        }
      }
      streams.source('in', IN).keyBy(utf8, (text) => text, BY_KEY).connect(rules).process('checking', () => new Checking());
    });
    expect(asked).toEqual(['k', 'state-key', 'state-value', 'v']);
  });

  it('asks those of both sides of a connect', async () => {
    const asked = await askedBy((of) => (streams) => {
      const more = streams.source('more', topic('more', { key: of('k'), value: of('v') })).keyBy({ ...of('right'), id: 'key' }, (text) => text, BY_KEY);
      class Both extends KeyedCoMap<string, string, string, string> {
        override open(context: KeyedContext<string>): void {
          context.state(valueState('state', of('state')));
        }
        override map1(text: string): string {
          return text;
        }
        override map2(text: string): string {
          return text;
        }
      }
      streams.source('in', IN).keyBy({ ...of('left'), id: 'key' }, (text) => text, BY_KEY).connect(more).map('both', () => new Both());
    });
    expect(asked).toEqual(['k', 'left', 'right', 'state', 'v']);
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
