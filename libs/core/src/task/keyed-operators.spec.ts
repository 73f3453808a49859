import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { writeBarrier } from '../checkpoint/barrier.js';
import { codec } from '../codec/codec.js';
import { bytes, float64, int64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { checkpointId, epoch } from '../model/brands.js';
import { PARTITIONERS } from '../model/partitioner.js';
import { RecordWriter } from '../model/record-columns.js';
import { topic } from '../topology/topic.js';
import { BY_KEY, IN, lyingIn, ONE, OUT, PipelineRig, WALL } from './pipeline-rig.spec-d.js';
import { chunkOf, repartitionTopicOf } from './task-rig.spec-d.js';

/** Counts per key, and hands out key, value and count. */
const counting: JobDefinition['define'] = (streams) =>
  streams
    .source('in', IN)
    .keyBy(utf8, (text) => text.slice(0, 1), BY_KEY)
    .mapWithState('count', float64, (text, count = 0, key) => ({ state: count + 1, value: `${key}:${text}:${count}` }))
    .sink('out', OUT);

describe('records behind keyBy', () => {
  it('are processed in the order of the log per key (I7), whatever lies between them', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(9)), { maxLength: 8 }), { maxLength: 5 }), (chunks) => {
        const rig = new PipelineRig(counting, { ...ONE, settings: { state: { cacheEntries: 1 } } });
        for (const chunk of chunks) rig.feed(chunk.map(([key, n]) => ({ value: `${key}${n}` })));
        const counts = new Map<string, number>();
        const expected = chunks.flat().map(([key, n]) => {
          const count = counts.get(key) ?? 0;
          counts.set(key, count + 1);
          return `${key}:${key}${n}:${count}`;
        });
        expect(rig.values).toEqual(expected);
      }),
      { numRuns: 30 },
    );
  });

  it('have the state of all keys of a chunk read in one multi-get', () => {
    const rig = new PipelineRig(counting, ONE);
    rig.feed([{ value: 'a' }, { value: 'b' }, { value: 'a' }]);
    rig.feed([{ value: 'b' }, { value: 'c' }, { value: 'd' }]);
    expect(rig.store.reads.map((keys) => keys.length)).toEqual([2, 2]);
  });

  it('leave their changes for the freeze, and find them again through the store', () => {
    const rig = new PipelineRig(counting, ONE);
    rig.feed([{ value: 'a' }, { value: 'a' }, { value: 'b' }]);
    expect(rig.pipeline.pendingChanges).toBe(2);
    const changes = new RecordWriter();
    rig.pipeline.freeze(epoch(1), changes, 5);
    expect([rig.pipeline.pendingChanges, changes.count]).toEqual([0, 2]);
    rig.store.applyNow(changes.columns);
    rig.pipeline.applied(epoch(1));
    const restarted = new PipelineRig(counting, { ...ONE, store: rig.store, attempt: 1 });
    expect(restarted.feed([{ value: 'a' }, { value: 'b' }]).values).toEqual(['a:a:2', 'b:b:1']);
  });

  it('keep keys of every sort apart', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', topic('in', { key: bytes, value: bytes }))
          .keyBy(bytes, (value) => value, BY_KEY)
          .mapWithState('count', int64, (_value, count = 0n) => ({ state: count + 1n, value: `${count}` }))
          .sink('out', topic('out', { key: bytes, value: utf8 })),
      ONE,
    );
    const keys = ['', '00000000', '00', 'fffe8001', 'efbfbd'].map((hex) => Buffer.from(hex, 'hex'));
    rig.feed([...keys, ...keys].map((value) => ({ value })));
    expect(rig.values).toEqual(['0', '0', '0', '0', '0', '1', '1', '1', '1', '1']);
  });

  it('share their keys among the operators behind one keyBy, each with states of its own', () => {
    const rig = new PipelineRig((streams) => {
      const keyed = streams.source('in', IN).keyBy(utf8, (text) => text, BY_KEY);
      keyed.mapWithState('first', float64, (_, n = 0) => ({ state: n + 1, value: `first ${n}` })).sink('out', OUT);
      keyed.mapWithState('second', float64, (_, n = 10) => ({ state: n + 1, value: `second ${n}` })).sink('again', topic('out2', { key: utf8, value: utf8 }));
    }, ONE);
    rig.feed([{ value: 'a' }, { value: 'a' }]);
    expect(rig.out).toEqual(['out-0 a=first 0', 'out-0 a=first 1', 'out2-0 a=second 10', 'out2-0 a=second 11']);
    expect(rig.store.reads.map((keys) => keys.length)).toEqual([2]);
    expect(rig.pipeline.pendingChanges).toBe(2);
  });

  it('go through two keyBys in a chain, each with the state and the key of its own', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, (text) => text, lyingIn(0))
          .flatMapWithState<number, string>('words', float64, (text, n = 0) => ({ state: n + 1, values: [`${text}${n}`, `${text}${n}`] }))
          .keyBy(json<number>(), (text) => text.length, lyingIn(0))
          .mapWithState('lengths', float64, (text, n = 0, key) => ({ state: n + 1, value: `${key}:${text}:${n}` }))
          .sink('out', topic('out', { key: json<number>(), value: utf8 })),
      ONE,
    );
    rig.feed([{ value: 'a' }, { value: 'bb' }, { value: 'a' }]);
    expect(rig.out).toEqual(['2=2:a0:0', '2=2:a0:1', '3=3:bb0:0', '3=3:bb0:1', '2=2:a1:2', '2=2:a1:3'].map((line) => `out-0 ${line}`));
    expect(rig.store.reads.map((keys) => keys.length)).toEqual([2, 2]);
    expect(rig.pipeline.pendingChanges).toBe(4);
  });
});

// ---- shuffles ----

const READINGS = codec<readonly [string, number]>({
  id: 'reading',
  encode: ([id, n]) => Buffer.from(`${id}/${n}`),
  decode: (text) => [String(text).split('/')[0]!, Number(String(text).split('/')[1])],
});
const shuffling: JobDefinition['define'] = (streams) =>
  streams
    .source('in', topic('in', { key: utf8, value: READINGS }))
    .keyBy(utf8, ([id]) => id, { name: 'by-id' })
    .mapWithState('sum', float64, ([, n], sum = 0, key) => ({ state: sum + n, value: `${key}=${sum + n}` }))
    .sink('out', OUT);
const SHUFFLE = repartitionTopicOf('by-id');

describe('the upstream end of a shuffle', () => {
  it('sends each value to the partition of its key, with key, timestamp and headers', () => {
    const rig = new PipelineRig(shuffling);
    rig.feed([
      { key: 'other', value: 'a/1', timestamp: 5, headers: Buffer.from('x') },
      { value: 'd/2', timestamp: -1 },
    ]);
    const place = (key: string): number => PARTITIONERS.murmur2(Buffer.from(key), 0, key.length, 4);
    expect(place('a')).not.toBe(place('d'));
    expect(rig.out.sort()).toEqual([`${SHUFFLE}-${place('a')} a=a/1`, `${SHUFFLE}-${place('d')} d=d/2`].sort());
    const ofKey = (key: string) => rig.effects.outputAppends().find(({ partition }) => partition === place(key))!.records;
    const { headersStart, headersEnd, timestamp } = ofKey('a');
    expect([timestamp[0], headersEnd[0]! - headersStart[0]!, ofKey('d').timestamp[0]]).toEqual([5, 1, WALL]);
  });

  it('names shuffle and record when a value cannot be encoded', () => {
    const rig = new PipelineRig((streams) =>
      streams
        .source('in', IN)
        .map((text) => text.length)
        .keyBy(utf8, () => 'k', { value: utf8 as never })
        .filterWithState('all', float64, () => ({ state: 1, keep: true })),
    );
    const thrown = thrownBy(() => rig.feed([{ value: 'a', offset: 17 }]));
    expect([thrown.code, thrown.kind]).toEqual(['OUTPUT_UNENCODABLE', 'data']);
    expect(thrown.message).toContain('Cannot encode a record for shuffle shuffle-0 as utf8 key and utf8 value, made from the record of in partition 0 at offset 17');
  });
});

describe('the downstream end of a shuffle', () => {
  it('runs the keyed functions over the records, and hands barriers on as it comes to them', () => {
    const rig = new PipelineRig(shuffling, { plan: 4 });
    const writer = new RecordWriter();
    writer.add(1, Buffer.from('a'), Buffer.from('a/1'));
    writeBarrier(writer, { id: checkpointId(3), writer: '0-1' }, 1);
    writer.add(1, Buffer.from('a'), Buffer.from('a/2'));
    const { records, ...chunk } = chunkOf(SHUFFLE, 0, []);
    expect(records.count).toBe(0);
    rig.process({ ...chunk, records: writer.columns });
    expect(rig.barriers).toEqual([`${SHUFFLE}-0 3 of 0-1`]);
    expect(rig.values).toEqual(['a=1', 'a=3']);
  });

  it('takes an empty key for a key, and no barrier', () => {
    const rig = new PipelineRig(shuffling, { plan: 4 });
    rig.feed([{ key: '', value: '/1' }, { key: '', value: '/2' }], SHUFFLE);
    expect([rig.values, rig.barriers]).toEqual([['=1', '=3'], []]);
  });

  it('names the record where it cannot be decoded', () => {
    const rig = new PipelineRig(shuffling, { plan: 4 });
    const thrown = thrownBy(() => rig.feed([{ key: Buffer.from([0xff]), value: 'a/1', offset: 9 }], SHUFFLE, 3));
    expect(thrown.message).toContain(`Cannot decode the key of the record in ${SHUFFLE} partition 3 at offset 9 as utf8`);
  });
});
