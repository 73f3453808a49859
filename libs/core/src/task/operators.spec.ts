import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { PARTITIONERS } from '../model/partitioner.js';
import type { RecordColumns } from '../model/record-columns.js';
import { type Collector, type KeyedContext, KeyedFlatMap, type OperatorContext, OutputTag, ProcessFunction } from '../topology/functions.js';
import type { RecordView } from '../topology/record-view.js';
import { type Topic, topic } from '../topology/topic.js';
import { EpochEffects } from './epoch-effects.js';
import { BY_KEY, IN, lyingIn, ONE, OUT, PipelineRig, WALL } from './pipeline-rig.spec-d.js';
import { chunkOf, outputsOf, type Row, rowsOf } from './task-rig.spec-d.js';

/** The records of the one partition that was written to. */
const onlyOutput = (rig: PipelineRig): RecordColumns => rig.effects.outputAppends()[0]!.records;

describe('values', () => {
  it('run through every operator in the order of the log', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .map((text) => `${text}!`)
          .filter((text) => !text.startsWith('b'))
          .flatMap<string>((text, out) => [...text].forEach((letter) => out.collect(letter)))
          .sink('out', OUT),
      ONE,
    );
    expect(rig.feed([{ value: 'ab' }, { value: 'bc' }, { value: 'c' }]).values).toEqual(['a', 'b', '!', 'c', '!']);
  });

  it('go to every reader of a stream, depth first and in the order of definition', () => {
    const seen: string[] = [];
    const rig = new PipelineRig((streams) => {
      const input = streams.source('in', IN);
      input.map((text) => seen.push(`first ${text}`)).sink('numbers', topic('numbers', { key: utf8, value: float64 }));
      const second = input.map((text) => {
        seen.push(`second ${text}`);
        return text;
      });
      second.sink('out', OUT);
      second.sink('again', topic('again', { key: utf8, value: utf8 }));
    }, ONE);
    rig.feed([{ value: 'a' }, { value: 'b' }]);
    expect(seen).toEqual(['first a', 'second a', 'first b', 'second b']);
    expect(rig.out.filter((line) => !line.startsWith('numbers'))).toEqual(['out-0 null=a', 'out-0 null=b', 'again-0 null=a', 'again-0 null=b']);
  });

  it('of several topics meet in a union, each through what is its own', () => {
    const rig = new PipelineRig((streams) => {
      const upper = streams.source('in', IN).map((text) => text.toUpperCase());
      upper.union(streams.source('more', topic('more', { key: utf8, value: utf8 }))).sink('out', OUT);
    }, ONE);
    rig.feed([{ key: 'k', value: 'a' }]).feed([{ key: 'l', value: 'b' }], 'more');
    expect(rig.out).toEqual(['out-0 k=A', 'out-0 l=b']);
  });

  it('come twice where a stream is united with itself', () => {
    const rig = new PipelineRig((streams) => {
      const input = streams.source('in', IN);
      input.union(input).sink('out', OUT);
    }, ONE);
    expect(rig.feed([{ value: 'a' }, { value: 'b' }]).values).toEqual(['a', 'a', 'b', 'b']);
  });

  it('that are null stay null, as do keys: tombstones and records without a key pass as they are', () => {
    const seen: unknown[] = [];
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', topic('in', { key: float64, value: float64 }))
          .map((value) => {
            seen.push(value);
            return value;
          })
          .sink('out', topic('out', { key: float64, value: float64 })),
      ONE,
    );
    rig.feed([{ key: null, value: null }]);
    expect(seen).toEqual([null]);
    expect(rig.out).toEqual(['out-0 null=null']);
  });

  it('come with their keys as entries, tombstones as null', () => {
    const seen: unknown[] = [];
    const rig = new PipelineRig((streams) => streams.source('in', IN).filter(() => true).entries().filter((entry) => seen.push(entry) < 0).map(() => '').sink('out', OUT), ONE);
    rig.feed([{ key: 'a', value: '1' }, { key: 'b', value: null }, { key: '', value: '' }]);
    expect(seen).toEqual([{ key: 'a', value: '1' }, { key: 'b', value: null }, { key: '', value: '' }]);
    expect(() => rig.feed([{ key: null, value: '2' }])).toThrow(/^entries-2 needs a key, and there is none for the record of in partition \d+ at offset \d+/);
  });

  it('may come in a chunk without rows', () => {
    const rig = new PipelineRig((streams) => streams.source('in', IN).sink('out', OUT), ONE);
    expect(rig.feed([]).out).toEqual([]);
  });
});

describe('the record that a value came from', () => {
  it('gives its key, timestamp and headers to every output', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .flatMap<string>((text, out) => {
            out.collect(text);
            out.collect(text);
          })
          .sink('out', OUT),
      ONE,
    );
    rig.feed([
      { key: 'k', value: 'a', timestamp: 5, headers: Buffer.from('026b0476', 'hex') },
      { key: 'l', value: 'b', timestamp: 0 },
    ]);
    const records = onlyOutput(rig);
    const headers = (row: number): string => records.buffer.subarray(records.headersStart[row], records.headersEnd[row]).toString('hex');
    expect([0, 1, 2, 3].map((row) => [String(records.key(row)), records.timestamp[row], headers(row)])).toEqual([
      ['k', 5, '026b0476'],
      ['k', 5, '026b0476'],
      ['l', 0, ''],
      ['l', 0, ''],
    ]);
  });

  it('gives them also behind keyBy, where the chunk has been read to its end before', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, (text) => text, BY_KEY)
          .mapWithState('count', float64, (text, count = 0) => ({ state: count + 1, value: `${text}${count}` }))
          .sink('out', OUT),
      ONE,
    );
    rig.feed([
      { key: 'ignored', value: 'a', timestamp: 5 },
      { value: 'b', timestamp: 6, headers: Buffer.from('00') },
      { value: 'a', timestamp: 7 },
    ]);
    const records = onlyOutput(rig);
    expect(rowsOf(records)).toEqual([
      ['a', 'a0'],
      ['b', 'b0'],
      ['a', 'a1'],
    ]);
    expect([...records.timestamp.subarray(0, 3)]).toEqual([5, 6, 7]);
    expect([0, 1, 2].map((row) => records.headersEnd[row]! - records.headersStart[row]!)).toEqual([0, 2, 0]);
  });

  it('may be looked at by every function: place, time, key and headers', () => {
    const seen: unknown[] = [];
    const look = (record: RecordView): void => {
      const headers = record.headers().map(({ key, value }) => [key, String(value)]);
      seen.push([record.topic, record.partition, record.offset, record.timestamp, record.keyAs(utf8), record.keyBytes()?.toString(), headers]);
    };
    class Looking extends KeyedFlatMap<string, string, string> {
      #context!: KeyedContext<string>;
      override open(context: KeyedContext<string>): void {
        this.#context = context;
      }
      override flatMap(_text: string, _out: Collector<string>): void {
        look(this.#context.record);
      }
    }
    const rig = new PipelineRig((streams) => {
      streams
        .source('in', IN)
        .map((text, record) => (look(record), text))
        .filter((_text, record) => (look(record), true))
        .flatMap<string>((text, out, record) => (look(record), out.collect(text)))
        .keyBy(utf8, (_text, record) => (look(record), record.keyAs(utf8) ?? 'none'), lyingIn(2))
        .flatMap('looking', () => new Looking());
    });
    rig.feed([{ key: 'k', value: 'a', timestamp: 5, headers: Buffer.from('026b0276', 'hex'), offset: 7 }, { value: 'b', timestamp: 6, offset: 8 }], 'in', 2);
    const first = ['in', 2, 7, 5, 'k', 'k', [['k', 'v']]];
    const second = ['in', 2, 8, 6, null, undefined, []];
    const of = (each: unknown): unknown[] => Array.from({ length: 4 }, () => each);
    expect(seen).toEqual([...of(first), ...of(second), first, second]);
  });

  it('gives its key to outputs behind process, side outputs and unions of them, too', () => {
    const side = new OutputTag<string>('side');
    class Both extends ProcessFunction<string, string> {
      #context!: OperatorContext;
      override open(context: OperatorContext): void {
        this.#context = context;
      }
      override process(text: string, out: Collector<string>): void {
        out.collect(text);
        this.#context.output(side, text);
      }
    }
    const rig = new PipelineRig((streams) => {
      const both = streams.source('in', IN).process('both', () => new Both());
      both.union(both.sideOutput(side)).sink('out', OUT);
    }, ONE);
    expect(rig.feed([{ key: 'k', value: 'a' }, { value: 'b' }]).out).toEqual(['out-0 k=a', 'out-0 k=a', 'out-0 null=b', 'out-0 null=b']);
  });

  it('gives the wall time where it has no timestamp', () => {
    const rig = new PipelineRig((streams) => streams.source('in', IN).sink('out', OUT), ONE);
    rig.feed([{ value: 'a', timestamp: -1 }]);
    expect(rig.effects.outputAppends()[0]!.records.timestamp[0]).toBe(WALL);
  });

  it('is named when it cannot be decoded, with the bytes', () => {
    const rig = new PipelineRig((streams) => streams.source('in', topic('in', { key: utf8, value: float64 })).sink('out', topic('out', { key: utf8, value: float64 })));
    const thrown = thrownBy(() => rig.feed([{ value: Buffer.alloc(8), offset: 16 }, { value: 'text', offset: 17 }], 'in', 2));
    expect([thrown.code, thrown.kind]).toEqual(['RECORD_UNDECODABLE', 'data']);
    expect(thrown.message).toContain(
      'Cannot decode the value of the record in in partition 2 at offset 17 as float64: float64 takes 8 bytes, and 4 came. Its bytes: "text" (4 bytes).',
    );
  });

  it('has its key decoded only where an output takes it: keyBy gives another', () => {
    const noText = { key: Buffer.from([0xff]), value: 'a', offset: 3 };
    const keyed = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, (text) => text, BY_KEY)
          .filterWithState('all', float64, () => ({ state: 1, keep: true }))
          .sink('out', OUT),
      ONE,
    );
    expect(keyed.feed([noText]).out).toEqual(['out-0 a=a']);
    const direct = new PipelineRig((streams) => streams.source('in', IN).map((text) => text).union(streams.source('b', topic('b', { key: utf8, value: utf8 }))).sink('out', OUT), ONE);
    expect(thrownBy(() => direct.feed([noText])).message).toContain('Cannot decode the key of the record in in partition 0 at offset 3 as utf8');
  });
});

describe('an error of a function', () => {
  const at = (offset: number, value = 'a'): Row => ({ key: 'k', value, offset });

  it.each<readonly [string, JobDefinition['define'], string]>([
    [
      'a map',
      (streams) =>
        streams
          .source('in', IN)
          .map((text): string => {
            if (text === 'bad') throw new Error('oops');
            return text;
          })
          .sink('out', OUT),
      'Operator map-1 failed on the record of in partition 2 at offset 18: oops.',
    ],
    [
      'a filter',
      (streams) => streams.source('in', IN).filter((text) => (text as unknown as string[]).length > (text === 'bad' ? (null as unknown as string).length : 0)).sink('out', OUT),
      'Operator filter-1 failed on the record of in partition 2 at offset 18: Cannot read properties of null',
    ],
    [
      'a keyed function, although it runs when the chunk was read',
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, () => 'k', lyingIn(2))
          .mapWithState('jump', float64, (text) => {
            // eslint-disable-next-line @typescript-eslint/only-throw-error -- users throw what they like
            if (text === 'bad') throw 'a string';
            return { state: 1, value: text };
          })
          .sink('out', OUT),
      'Operator jump failed on the record of in partition 2 at offset 18: a string.',
    ],
    [
      'a key selector',
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(
            utf8,
            (text) => {
              if (text === 'bad') throw new Error('no id');
              return 'k';
            },
            lyingIn(2),
          )
          .filterWithState('jump', float64, () => ({ state: 1, keep: true })),
      'Operator keyBy-1 failed on the record of in partition 2 at offset 18: no id.',
    ],
  ])('of %s names the operator and the record, and keeps the cause', (_, define, text) => {
    const rig = new PipelineRig(define, { topics: { in: 4 }, settings: { parallelism: 1 } });
    const place = (streams: readonly Row[]): void => rig.process(chunkOf('in', 2, streams));
    const thrown = thrownBy(() => place([at(17), at(18, 'bad'), at(19)]));
    expect([thrown.code, thrown.kind]).toEqual(['FUNCTION_FAILED', 'data']);
    expect(thrown.message).toContain(text);
    expect(thrown.cause).toBeDefined();
  });

  it('is that of the operator where it happened, not of those before it', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .map((text) => text)
          .flatMap<string>((text, out) => out.collect(text))
          .map((): string => {
            throw new Error('deep');
          })
          .sink('out', OUT),
      ONE,
    );
    expect(thrownBy(() => rig.feed([at(0)])).message).toContain('Operator map-3 failed');
  });

  it.each([null, undefined])('is a key that is %s', (key) => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .keyBy(utf8, () => key as unknown as string, BY_KEY)
          .filterWithState('jump', float64, () => ({ state: 1, keep: true })),
      ONE,
    );
    const thrown = thrownBy(() => rig.feed([at(17)]));
    expect([thrown.code, thrown.kind]).toEqual(['KEY_NULL', 'data']);
    expect(thrown.message).toContain('keyBy-1 needs a key, and there is none for the record of in partition 0 at offset 17');
  });

  it('is a key that its codec cannot encode', () => {
    const rig = new PipelineRig(
      (streams) =>
        streams
          .source('in', IN)
          .map((text) => text)
          .keyBy(utf8, (text) => (text === 'bad' ? (5 as unknown as string) : text), BY_KEY)
          .filterWithState('jump', float64, () => ({ state: 1, keep: true })),
      ONE,
    );
    const thrown = thrownBy(() => rig.feed([at(17), at(18, 'bad')]));
    expect([thrown.code, thrown.kind]).toEqual(['OUTPUT_UNENCODABLE', 'data']);
    expect(thrown.message).toContain(
      'Cannot encode the key of keyBy-2 as utf8, made from the record of in partition 0 at offset 18: utf8 takes a string, and number came.',
    );
  });

  it('is a key that lies in another partition than its partitioner says, and passes as it is', () => {
    const rig = new PipelineRig((streams) =>
      streams
        .source('in', IN)
        .map((text) => text)
        .keyBy(utf8, (text) => text, { alreadyPartitioned: { partitioner: 'murmur2' } })
        .filterWithState('jump', float64, () => ({ state: 1, keep: true })),
    );
    const elsewhere = (PARTITIONERS.murmur2(Buffer.from('s1'), 0, 2, 4) + 1) % 4;
    const thrown = thrownBy(() => rig.process(chunkOf('in', elsewhere, [{ value: 's1', offset: 17 }])));
    expect(thrown.code).toBe('KEY_ELSEWHERE');
    expect(thrown.message).toContain(`key "s1" (2 bytes) lies in partition ${elsewhere} (offset 17)`);
  });

  it('of an output names sink, codecs and the record', () => {
    const rig = new PipelineRig((streams) => streams.source('in', IN).map((text) => text.length as unknown as string).sink('out', OUT), ONE);
    const thrown = thrownBy(() => rig.feed([at(17)]));
    expect([thrown.code, thrown.kind]).toEqual(['OUTPUT_UNENCODABLE', 'data']);
    expect(thrown.message).toContain(
      'Cannot encode a record for sink out as utf8 key and utf8 value, made from the record of in partition 0 at offset 17: utf8 takes a string, and number came.',
    );
    expect(rig.out).toEqual([]);
  });
});

describe('a sink', () => {
  const placed = (partitioner: Topic<string, string>['partitioner'] | undefined, keys: readonly (string | null)[], task = 0): number[] => {
    const out = topic('out', { key: utf8, value: utf8, ...(partitioner === undefined ? {} : { partitioner }) });
    const rig = new PipelineRig((streams) => streams.source('in', IN).sink('out', out), { topics: { out: 5 }, plan: task });
    rig.feed(keys.map((key, i) => ({ key, value: `${i}` })), 'in', task);
    const places = new Map(rig.effects.outputAppends().flatMap(({ partition, records }) => rowsOf(records).map(([, value]) => [Number(value), partition])));
    return keys.map((_, i) => places.get(i)!);
  };
  const keys = ['a', 'b', 'sensor_1', '', 'ü'];
  const by = (name: 'murmur2' | 'crc32'): number[] => keys.map((key) => PARTITIONERS[name](Buffer.from(key), 0, Buffer.byteLength(key), 5));

  it('places keys as the Java client does, or as its topic says', () => {
    expect(placed(undefined, keys)).toEqual(by('murmur2'));
    expect(placed('crc32', keys)).toEqual(by('crc32'));
    expect(placed((_data, start, end, partitions) => (end - start) % partitions, keys)).toEqual(keys.map((key) => Buffer.byteLength(key) % 5));
  });

  it('gives records without a key to all partitions in turn', () => {
    expect(placed(undefined, Array.from({ length: 7 }, () => null))).toEqual([0, 1, 2, 3, 4, 0, 1]);
  });

  it.each([5, -1, 0.5, Number.NaN])('refuses a partitioner that gives %p', (partition) => {
    const thrown = thrownBy(() => placed(() => partition, ['a']));
    expect(thrown.message).toContain(`its partitioner gave partition ${partition}, and out has 5`);
  });

  it('writes where it is told to from then on', () => {
    const rig = new PipelineRig((streams) => streams.source('in', IN).sink('out', OUT), ONE);
    rig.feed([{ value: 'a' }]);
    const next = new EpochEffects();
    rig.pipeline.writeTo(next);
    rig.feed([{ value: 'b' }]);
    expect([rig.out, outputsOf(next)]).toEqual([['out-0 null=a'], ['out-0 null=b']]);
  });
});
