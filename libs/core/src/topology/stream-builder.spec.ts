import { describe, expect, it } from '@jest/globals';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { KeyedCoFlatMap } from './co-functions.js';
import { type Collector, KeyedFlatMap } from './functions.js';
import { inputsOf, isShuffle, type Node, sourcesOf } from './graph.js';
import { GraphBuilder, type KeyedStream, type Stream } from './stream-builder.js';
import { type AlreadyPartitioned, type KeyByOptions, topic } from './topic.js';

interface Reading {
  readonly id: string;
  readonly t: number;
}
const READINGS = topic('readings', { key: utf8, value: json<Reading>() });
const OUT = topic('out', { key: utf8, value: json<Reading>() });
const BY_KEY: KeyByOptions<Reading> = { alreadyPartitioned: { partitioner: 'auto' } };

class Nothing extends KeyedFlatMap<string, Reading, Reading> {
  override flatMap(_reading: Reading, _out: Collector<Reading>): void {
    // Gives nothing.
  }
}
class Both extends KeyedCoFlatMap<string, Reading, Reading, Reading> {
  override flatMap1(_reading: Reading, _out: Collector<Reading>): void {
    // Gives nothing.
  }
  override flatMap2(_reading: Reading, _out: Collector<Reading>): void {
    // Gives nothing.
  }
}
const THIRD = topic('third', { key: utf8, value: READINGS.value });
const declared = (partitioner: AlreadyPartitioned['partitioner']): KeyByOptions<Reading> => ({ alreadyPartitioned: { partitioner } });
const connected = (builder: GraphBuilder, left: KeyByOptions<Reading>, right: KeyByOptions<Reading>): Stream<string, Reading> =>
  source(builder)
    .keyBy(utf8, ({ id }) => id, left)
    .connect(source2(builder).keyBy(utf8, ({ id }) => id, right))
    .flatMap('both', () => new Both());
const source = (builder: GraphBuilder): Stream<string | null, Reading> => builder.source('readings', READINGS);
const keyed = (builder: GraphBuilder): KeyedStream<string, Reading> => source(builder).keyBy(utf8, (reading) => reading.id, BY_KEY);
const source2 = (builder: GraphBuilder): Stream<string | null, Reading> => builder.source('more', topic('more', { key: utf8, value: READINGS.value }));
/** Readings shuffled by id, and a filter with state behind. */
const shuffled = (builder: GraphBuilder, options: KeyByOptions<Reading>): Stream<string, Reading> =>
  source(builder)
    .keyBy(utf8, (reading) => reading.id, options)
    .filterWithState('seen-it', float64, () => ({ state: 1, keep: true }));
const inputNames = (node: Node): string[] => inputsOf(node).map(({ name }) => name);
const sourceNames = (node: Node): string[] => sourcesOf(node).map(({ name }) => name);
const problemWith = (define: (builder: GraphBuilder) => void): string => {
  const thrown = thrownBy(() => {
    const builder = new GraphBuilder('alerts');
    define(builder);
    builder.build();
  });
  expect([thrown.code, thrown.kind]).toEqual(['TOPOLOGY_INVALID', 'invalid']);
  return thrown.message;
};

describe('a graph', () => {
  it('has the nodes in the order of definition, each behind its input', () => {
    const builder = new GraphBuilder('alerts');
    keyed(builder)
      .flatMap('jump', () => new Nothing())
      .filter((reading) => reading.t > 0)
      .sink('alerts', OUT);
    const { job, nodes } = builder.build();
    expect(job).toBe('alerts');
    expect(nodes.map(({ id, kind, name }) => [id, kind, name])).toEqual([
      [0, 'source', 'readings'],
      [1, 'keyBy', 'keyBy-1'],
      [2, 'keyed', 'jump'],
      [3, 'stateless', 'filter-3'],
      [4, 'sink', 'alerts'],
    ]);
    expect(nodes.map(inputNames)).toEqual([[], ['readings'], ['keyBy-1'], ['jump'], ['filter-3']]);
    expect(nodes.map(sourceNames)).toEqual(Array.from({ length: 5 }, () => ['readings']));
  });

  it('branches where a stream is used twice, and has several sources', () => {
    const builder = new GraphBuilder('alerts');
    const readings = source(builder);
    readings.sink('copy', OUT);
    readings.map((reading) => reading).sink('other', topic('other', { key: utf8, value: json<Reading>() }));
    builder.source('limits', topic('limits', { key: utf8, value: float64 })).sink('limits-copy', topic('l2', { key: utf8, value: float64 }));
    expect(builder.build().nodes.map((node) => [...sourceNames(node), ...inputNames(node)])).toEqual([
      ['readings'],
      ['readings', 'readings'],
      ['readings', 'readings'],
      ['readings', 'map-2'],
      ['limits'],
      ['limits', 'limits'],
    ]);
  });

  it('is not changed by what is defined after it was built', () => {
    const builder = new GraphBuilder('alerts');
    const readings = source(builder);
    readings.sink('copy', OUT);
    const graph = builder.build();
    readings.sink('late', OUT);
    expect(graph.nodes).toHaveLength(2);
  });

  it('keeps where a source starts, earliest unless it says otherwise', () => {
    const builder = new GraphBuilder('alerts');
    source(builder).sink('a', OUT);
    builder.source('late', topic('late', { key: utf8, value: json<Reading>() }), { start: 'latest' }).sink('b', OUT);
    expect(builder.build().nodes.flatMap((node) => (node.kind === 'source' ? [node.start] : []))).toEqual(['earliest', 'latest']);
  });

  it('makes one function per call of the factory, and none while it is built', () => {
    let made = 0;
    const builder = new GraphBuilder('alerts');
    keyed(builder).flatMap('jump', () => {
      made++;
      return new Nothing();
    });
    const [node] = builder.build().nodes.slice(-1);
    expect(made).toBe(0);
    if (node?.kind !== 'keyed') throw new Error('the last node is the keyed one');
    expect(node.factory()).not.toBe(node.factory());
    expect(made).toBe(2);
  });

  it('lets a stream end in an operator with state, which needs no sink', () => {
    const builder = new GraphBuilder('alerts');
    keyed(builder).filterWithState('seen', float64, () => ({ state: 1, keep: true }));
    expect(builder.build().nodes).toHaveLength(3);
  });
});

describe('a graph is refused', () => {
  it('without a source', () => {
    expect(problemWith(() => undefined)).toContain('Job alerts cannot be built: it has no source. Call streams.source(...) in define.');
  });

  it('with two operators of one name', () => {
    const message = problemWith((builder) => {
      const readings = source(builder);
      readings.sink('alerts', OUT);
      readings.sink('alerts', OUT);
    });
    expect(message).toContain('two operators are named "alerts"');
  });

  it('with an empty name', () => {
    expect(problemWith((builder) => source(builder).sink('', OUT))).toContain('an operator has an empty name');
  });

  it.each<readonly [string, (builder: GraphBuilder) => void, string]>([
    ['a source', (builder) => void source(builder), 'readings'],
    ['a map', (builder) => void source(builder).map((reading) => reading), 'map-1'],
    ['a keyBy', (builder) => void keyed(builder), 'keyBy-1'],
  ])('with %s that nothing reads: a forgotten sink', (_, define, name) => {
    expect(problemWith(define)).toContain(`nothing reads the result of "${name}". End the stream with .sink(...), or remove it.`);
  });

  it('with a topic that is read twice', () => {
    const message = problemWith((builder) => {
      source(builder).sink('a', OUT);
      builder.source('again', READINGS).sink('b', OUT);
    });
    expect(message).toContain('two sources read topic "readings". Read it once, and build both streams on that source.');
  });

  it.each(['', 'a b', 'a/b', 'ü', 'x'.repeat(101), '0-a', 'a-0-b', '17-shuffle'])('with a shuffle whose topic could not be, or be taken for another: %j', (name) => {
    const message = problemWith((builder) => void shuffled(builder, { name }));
    expect(message).toMatch(name === '' ? /an operator has an empty name/ : /has a name that no topic can have, or that may end up in another application's topic/);
  });

  it('with a partitioner that does not exist, be it of a keyBy or of a topic', () => {
    const options = { alreadyPartitioned: { partitioner: 'murmur3' as 'murmur2' } };
    const ofKeyBy = problemWith((builder) => {
      source(builder)
        .keyBy(utf8, (reading) => reading.id, options)
        .filterWithState('seen', float64, () => ({ state: 1, keep: true }));
    });
    expect(ofKeyBy).toContain('keyBy-1 names partitioner "murmur3". Use one of auto, murmur2, crc32 or a function.');
    const wrong = topic('out', { key: utf8, value: json<Reading>(), partitioner: 'auto' as 'crc32' });
    const ofTopic = problemWith((builder) => source(builder).sink('alerts', wrong));
    expect(ofTopic).toContain('topic "out" names partitioner "auto". Use one of murmur2, crc32 or a function.');
  });

  it('where keyBy is declared alreadyPartitioned on streams of several topics, or behind a shuffle', () => {
    const limits = topic('limits', { key: utf8, value: READINGS.value });
    const ofUnion = problemWith((builder) => {
      source(builder)
        .union(builder.source('limits', limits))
        .keyBy(utf8, (reading) => reading.id, BY_KEY);
    });
    const behindShuffle = problemWith((builder) => {
      shuffled(builder, {}).keyBy(utf8, (reading) => reading.id, BY_KEY);
    });
    for (const message of [ofUnion, behindShuffle]) expect(message).toContain('declared alreadyPartitioned on a stream that does not come from one topic alone');
  });

  it.each<readonly [string, (stream: Stream<string | null, Reading>) => Stream<string | null, Reading>]>([
    ['a map', (stream) => stream.map((reading) => reading)],
    ['a flatMap', (stream) => stream.flatMap<Reading>((reading, out) => out.collect(reading))],
  ])('where keyBy shuffles behind %s and has no codec for its values', (_, change) => {
    const message = problemWith((builder) => void change(source(builder)).keyBy(utf8, (reading) => reading.id));
    expect(message).toMatch(/keyBy behind "(map|flatMap)-1" shuffles, and has no codec for the stream's values\. Give it one: keyBy\(keyCodec, selector, \{ value:/);
  });

  it.each<readonly [string, KeyByOptions<Reading>, KeyByOptions<Reading>, string]>([
    ['murmur2 and crc32', declared('murmur2'), declared('crc32'), '"keyBy-1" is declared alreadyPartitioned by murmur2, and "keyBy-3" is declared alreadyPartitioned by crc32'],
    ['crc32 and a shuffle', declared('crc32'), { name: 'by-id' }, '"keyBy-1" is declared alreadyPartitioned by crc32, and "by-id" is shuffled by murmur2'],
    ['a shuffle and a function', { name: 'by-id' }, declared(() => 0), '"by-id" is shuffled by murmur2, and "keyBy-3" is declared alreadyPartitioned by a function'],
  ])('where streams are connected whose keys lie otherwise: %s', (_, left, right, problem) => {
    const message = problemWith((builder) => void connected(builder, left, right));
    expect(message).toContain(`streams are connected whose keys lie otherwise: ${problem}. Drop alreadyPartitioned where it is another than murmur2`);
  });

  it.each<readonly [KeyByOptions<Reading>, KeyByOptions<Reading>]>([
    [BY_KEY, BY_KEY],
    [BY_KEY, declared('crc32')],
    [declared('crc32'), declared('crc32')],
    [BY_KEY, { name: 'by-id' }],
    [declared('murmur2'), { name: 'by-id' }],
    [{ name: 'a' }, { name: 'b' }],
  ])('unless they lie alike, or may: %j and %j', (left, right) => {
    const builder = new GraphBuilder('alerts');
    connected(builder, left, right);
    expect(builder.build().nodes).toHaveLength(5);
  });

  it('where streams are connected whose keys are encoded otherwise, also by way of a third', () => {
    const message = problemWith((builder) => {
      const [a, b, c] = [keyed(builder), source2(builder).keyBy(utf8, (reading) => reading.id, BY_KEY), builder.source('third', THIRD).keyBy({ ...utf8, version: 2 }, (reading) => reading.id, BY_KEY)] as const;
      a.connect(b).flatMap('ab', () => new Both());
      b.connect(c).flatMap('bc', () => new Both());
    });
    expect(message).toContain('streams are connected by "keyBy-1", whose keys are utf8, and "keyBy-5", whose keys are utf8 version 2. Key both with the same codec.');
  });

  it('where a union is of streams with different codecs, and keyBy is given none', () => {
    const message = problemWith((builder) => {
      source(builder)
        .union(builder.source('other', topic('other', { key: utf8, value: json<Reading>() })))
        .keyBy(utf8, (reading) => reading.id);
    });
    expect(message).toContain('keyBy behind "union-2" shuffles, and has no codec');
  });
});

describe('a shuffle', () => {
  const shuffleOf = (define: (builder: GraphBuilder) => KeyedStream<string, Reading>) => {
    const builder = new GraphBuilder('alerts');
    define(builder).filterWithState('seen', float64, () => ({ state: 1, keep: true }));
    return builder.build().nodes.filter(isShuffle).at(-1)!;
  };

  it('carries the values as the topic in front of it has them, also behind filters and unions of one codec', () => {
    expect(shuffleOf((builder) => source(builder).keyBy(utf8, (reading) => reading.id)).distribution.valueCodec).toBe(READINGS.value);
    const filtered = (builder: GraphBuilder): KeyedStream<string, Reading> =>
      source(builder)
        .filter((reading) => reading.t > 0)
        .union(builder.source('more', topic('more', { key: utf8, value: READINGS.value })))
        .keyBy(utf8, (reading) => reading.id);
    expect(shuffleOf(filtered).distribution.valueCodec).toBe(READINGS.value);
  });

  it('carries them by the codec that it was given, wherever it stands', () => {
    const value = json<Reading>();
    const behindMap = (builder: GraphBuilder): KeyedStream<string, Reading> =>
      source(builder)
        .map((reading) => reading)
        .keyBy(utf8, (reading) => reading.id, { value });
    expect(shuffleOf(behindMap).distribution.valueCodec).toBe(value);
  });

  it('takes the codec of the shuffle before it, behind a filter with state', () => {
    const twice = (builder: GraphBuilder): KeyedStream<string, Reading> =>
      shuffled(builder, {})
        .keyBy(utf8, (reading) => `${reading.t}`);
    expect(shuffleOf(twice).distribution.valueCodec).toBe(READINGS.value);
  });

  it('is named by the user, or by its number among the unnamed', () => {
    const names = (name?: string): string[] => {
      const builder = new GraphBuilder('alerts');
      shuffled(builder, name === undefined ? {} : { name });
      source2(builder).keyBy(utf8, (reading) => reading.id).filterWithState('b', float64, () => ({ state: 1, keep: true }));
      return builder.build().nodes.filter(isShuffle).map((node) => node.name);
    };
    expect(names()).toEqual(['shuffle-0', 'shuffle-1']);
    expect(names('by-id')).toEqual(['by-id', 'shuffle-0']);
  });

  it('ends the reach of its sources', () => {
    const builder = new GraphBuilder('alerts');
    shuffled(builder, {}).sink('out', OUT);
    expect(builder.build().nodes.map((node) => [node.name, sourceNames(node)])).toEqual([
      ['readings', ['readings']],
      ['shuffle-0', []],
      ['seen-it', []],
      ['out', []],
    ]);
  });

  it.each(['by-id', 'a', 'shuffle-0', 'v2-a', '7', 'A.b_c-9'])('may be named %s', (name) => {
    const builder = new GraphBuilder('alerts');
    shuffled(builder, { name });
    expect(builder.build().nodes.filter(isShuffle).map((node) => node.name)).toEqual([name]);
  });
});

describe('topic', () => {
  it('places keys as the Java client does, unless told otherwise', () => {
    const place = (): number => 0;
    expect(topic('t', { key: utf8, value: utf8 }).partitioner).toBe('murmur2');
    expect(topic('t', { key: utf8, value: utf8, partitioner: 'crc32' }).partitioner).toBe('crc32');
    expect(topic('t', { key: utf8, value: utf8, partitioner: place }).partitioner).toBe(place);
  });
});
