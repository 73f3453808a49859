import { describe, expect, it } from '@jest/globals';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { isShuffle } from '../topology/graph.js';
import { GraphBuilder, type Stream, type StreamBuilder } from '../topology/stream-builder.js';
import { topic } from '../topology/topic.js';
import { cutGraph, type SubTopology, upstreamOf } from './cut-graph.js';

const text = (name: string) => topic(name, { key: utf8, value: utf8 });
const cut = (define: (streams: StreamBuilder) => void): SubTopology[] => {
  const builder = new GraphBuilder('job');
  define(builder);
  return cutGraph(builder.build());
};
/** A filter with state behind a shuffle. */
const shuffled = (stream: Stream<string | null, string>, name: string): Stream<string, string> =>
  stream.keyBy(utf8, (value) => value, { name, value: json<string>() }).filterWithState(`${name}-state`, float64, () => ({ state: 1, keep: true }));
const names = (subTopologies: readonly SubTopology[]): string[][] => subTopologies.map(({ nodes }) => nodes.map(({ name }) => name));

describe('a graph without shuffles', () => {
  it('is one sub-topology for each source', () => {
    const found = cut((streams) => {
      const a = streams.source('a', text('a'));
      streams.source('b', text('b')).sink('b-out', text('b-out'));
      a.map((value) => value).sink('a-out', text('a-out'));
      a.keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'auto' } }).filterWithState('seen', float64, () => ({ state: 1, keep: true }));
    });
    expect(names(found)).toEqual([
      ['a', 'map-3', 'a-out', 'keyBy-5', 'seen'],
      ['b', 'b-out'],
    ]);
    expect(found.map(({ index, sources, sinks, shufflesIn, shufflesOut }) => [index, sources.length, sinks.length, shufflesIn.length, shufflesOut.length])).toEqual([
      [0, 1, 1, 0, 0],
      [1, 1, 1, 0, 0],
    ]);
  });

  it('is one for sources that a union joins', () => {
    const found = cut((streams) => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => streams.source(name, text(name))) as [Stream<string | null, string>, Stream<string | null, string>, Stream<string | null, string>];
      c.sink('c-out', text('c-out'));
      a.union(b, c).sink('out', text('out'));
    });
    expect(names(found)).toEqual([['a', 'b', 'c', 'c-out', 'union-4', 'out']]);
  });
});

describe('a shuffle', () => {
  it('ends one sub-topology and begins another', () => {
    const found = cut((streams) => shuffled(streams.source('a', text('a')), 'by-value').sink('out', text('out')));
    expect(names(found)).toEqual([['a'], ['by-value', 'by-value-state', 'out']]);
    const [upstream, downstream] = found as [SubTopology, SubTopology];
    const [shuffle] = downstream.shufflesIn;
    expect([upstream.shufflesOut, downstream.shufflesOut, upstream.shufflesIn]).toEqual([[shuffle], [], []]);
    expect([isShuffle(shuffle!), upstreamOf(shuffle!, found)]).toEqual([true, [upstream]]);
  });

  it('of each of two streams may join them again behind both', () => {
    const found = cut((streams) => {
      const a = streams.source('a', text('a'));
      const first = shuffled(a, 'first');
      first.union(shuffled(a, 'second')).sink('out', text('out'));
    });
    expect(names(found)).toEqual([['a'], ['first', 'first-state', 'second', 'second-state', 'union-5', 'out']]);
    expect(found[1]!.shufflesIn.map(({ name }) => name)).toEqual(['first', 'second']);
  });

  it('may follow another', () => {
    const found = cut((streams) => shuffled(shuffled(streams.source('a', text('a')), 'first'), 'second').sink('out', text('out')));
    expect(found.map(({ shufflesIn, shufflesOut }) => [shufflesIn, shufflesOut].map((each) => each.map(({ name }) => name).join()))).toEqual([
      ['', 'first'],
      ['first', 'second'],
      ['second', ''],
    ]);
  });

  it('of a stream that is joined with what was shuffled from it is refused: its tasks would wait for themselves', () => {
    const thrown = thrownBy(() =>
      cut((streams) => {
        const a = streams.source('a', text('a'));
        (shuffled(a, 'again') as Stream<string | null, string>).union(a).sink('out', text('out'));
      }),
    );
    expect([thrown.code, thrown.kind]).toEqual(['TOPOLOGY_INVALID', 'invalid']);
    expect(thrown.message).toContain('a stream is joined with one that was shuffled from it by "again"');
  });

  it('is refused over several stages, too', () => {
    const thrown = thrownBy(() =>
      cut((streams) => {
        const a = streams.source('a', text('a'));
        const twice = shuffled(shuffled(a, 'first'), 'second');
        (twice as Stream<string | null, string>).union(a).sink('out', text('out'));
      }),
    );
    expect(thrown.message).toMatch(/was shuffled from it by "(first|second)"/);
  });
});
