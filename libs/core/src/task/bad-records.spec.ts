import { describe, expect, it } from '@jest/globals';
import { float64, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import type { JobDefinition } from '../job/job-definition.js';
import { ByteWriter } from '../model/byte-writer.js';
import { epoch } from '../model/brands.js';
import { readDeadLetter } from '../model/dead-letter.js';
import { decodeHeaders, encodeHeaders } from '../model/headers.js';
import { RecordWriter } from '../model/record-columns.js';
import { valueState } from '../state/descriptors.js';
import { broadcastState } from '../state/operator-state.js';
import type { ValueState } from '../state/value-state.js';
import type { BadRecordPolicy } from '../topology/bad-records.js';
import {
  type Collector,
  type KeyedBroadcastContext,
  KeyedBroadcastProcess,
  type KeyedContext,
  KeyedFlatMap,
  KeyedProcess,
} from '../topology/functions.js';
import { topic } from '../topology/topic.js';
import { IN, lyingIn, ONE, OUT, PipelineRig, WALL } from './pipeline-rig.spec-d.js';
import type { Row } from './task-rig.spec-d.js';

const DEAD = { deadLetter: 'dead' } as const;
const NOT_UTF8 = Buffer.from([0xff]);
/** Throws at "bad". */
const picky = (text: string): string => {
  if (text === 'bad') throw new TypeError('I do not like it');
  return text;
};
const rows = (...values: (string | Buffer)[]): Row[] => values.map((value) => ({ key: 'k', value }));

/** What lies in the dead-letter topic, in words: operator, place, error, value. */
function deadIn({ effects }: PipelineRig): string[] {
  return effects.outputAppends().flatMap(({ topic: name, partition, records }) => {
    if (name !== 'dead') return [];
    return Array.from({ length: records.count }, (_, row) => {
      const { letter } = readDeadLetter(decodeHeaders(records.buffer, records.headersStart[row]!, records.headersEnd[row]!))!;
      const value = records.value(row);
      return `${partition}: ${letter.operator} ${letter.topic}-${letter.partition}@${letter.offset} ${letter.errorCode} ${value === null ? 'null' : value.toString('latin1')}`;
    });
  });
}
const outOf = (rig: PipelineRig): string[] => rig.out.filter((line) => line.startsWith('out')).map((line) => line.slice(line.indexOf('=') + 1));

/** Ends the epoch and tells its counts, as a commit does. */
function commit(rig: PipelineRig): unknown[] {
  rig.pipeline.freeze(epoch(1), new RecordWriter(), WALL);
  rig.pipeline.applied(epoch(1));
  return rig.events.filter(({ type }) => type === 'bad-records').map((event) => (event as { operators: unknown }).operators);
}

describe('a record that its source cannot decode', () => {
  const job = (onBadRecord?: BadRecordPolicy): JobDefinition['define'] => (streams) => streams.source('s', IN, onBadRecord === undefined ? {} : { onBadRecord }).sink('o', OUT);

  it('fails the task unless something else was asked for', () => {
    expect(thrownBy(() => new PipelineRig(job(), ONE).feed(rows('a', NOT_UTF8))).code).toBe('RECORD_UNDECODABLE');
    expect(thrownBy(() => new PipelineRig(job('fail'), { ...ONE, settings: { badRecords: 'skip' } }).feed(rows(NOT_UTF8))).code).toBe('RECORD_UNDECODABLE');
  });

  it('is dropped by skip, counted once it is committed, and the others go on', () => {
    const rig = new PipelineRig(job('skip'), ONE).feed(rows('a', NOT_UTF8, 'b', NOT_UTF8));
    expect(outOf(rig)).toEqual(['a', 'b']);
    expect(rig.events).toEqual([]);
    expect(commit(rig)).toEqual([[expect.objectContaining({ operator: 's', skipped: 2, deadLettered: 0, lastError: expect.stringContaining('offset 3') })]]);
    expect(commit(rig)).toHaveLength(1);
  });

  it('follows the policy of the job where the source has none', () => {
    expect(outOf(new PipelineRig(job(), { ...ONE, settings: { badRecords: 'skip' } }).feed(rows(NOT_UTF8, 'a')))).toEqual(['a']);
  });

  it('goes into the dead-letter topic as it came, behind its own headers the place and the error', () => {
    const own = new ByteWriter();
    encodeHeaders([{ key: 'trace', value: Buffer.from('7') }], own);
    const rig = new PipelineRig(job(DEAD), ONE).feed([{ key: NOT_UTF8, value: 'v', timestamp: 77, headers: own.copy(), offset: 12 }, { key: null, value: NOT_UTF8, timestamp: -1, offset: 13 }]);
    const { records } = rig.effects.outputAppends().find(({ topic: name }) => name === 'dead')!;
    expect([records.key(0), records.value(0), records.timestamp[0]]).toEqual([NOT_UTF8, Buffer.from('v'), 77]);
    expect([records.key(1), records.value(1), records.timestamp[1]]).toEqual([null, NOT_UTF8, WALL]);
    const found = readDeadLetter(decodeHeaders(records.buffer, records.headersStart[0]!, records.headersEnd[0]!))!;
    expect(found.own).toEqual([{ key: 'trace', value: Buffer.from('7') }]);
    expect(found.letter).toEqual({
      job: 'job', operator: 's', topic: 'in', partition: 0, offset: 12, errorCode: 'RECORD_UNDECODABLE', error: expect.stringContaining('Cannot decode the key of the record in in partition 0 at offset 12'),
    });
    expect(commit(rig)).toEqual([[expect.objectContaining({ operator: 's', skipped: 0, deadLettered: 2 })]]);
  });

  it('lies in the partition of its number, as far as there are as many', () => {
    const rig = new PipelineRig(job(DEAD), { partitions: 4, topics: { dead: 3 }, plan: 3 }).feed(rows(NOT_UTF8), 'in', 3);
    expect(deadIn(rig).map((line) => line.slice(0, 9))).toEqual(['0: s in-3']);
  });
});

describe('an operator', () => {
  const through = (define: JobDefinition['define'], ...values: string[]): PipelineRig => new PipelineRig(define, ONE).feed(rows(...values));

  it.each<[string, JobDefinition['define'], string]>([
    ['map', (s) => s.source('s', IN).map(picky, { onBadRecord: DEAD }).sink('o', OUT), 'map-1'],
    ['filter', (s) => s.source('s', IN).filter((text) => picky(text) !== '', { onBadRecord: DEAD }).sink('o', OUT), 'filter-1'],
    ['flatMap', (s) => s.source('s', IN).flatMap<string>((text, out) => out.collect(picky(text)), { onBadRecord: DEAD }).sink('o', OUT), 'flatMap-1'],
    ['keyBy', (s) => s.source('s', IN).keyBy(utf8, picky, { ...lyingIn(0), onBadRecord: DEAD }).mapWithState<number, string>('m', float64, (value) => ({ state: 1, value })).sink('o', OUT), 'keyBy-1'],
    ['shuffling keyBy', (s) => s.source('s', IN).keyBy(utf8, picky, { name: 'by', onBadRecord: DEAD }).mapWithState<number, string>('m', float64, (value) => ({ state: 1, value })).sink('o', OUT), 'by'],
    ['function with state', (s) => s.source('s', IN).keyBy(utf8, () => 'k', lyingIn(0)).mapWithState<number, string>('m', float64, (value) => ({ state: 1, value: picky(value) }), { onBadRecord: DEAD }).sink('o', OUT), 'm'],
  ])('that is a %s puts away what its function throws at, with place and error', (_, define, operator) => {
    expect(deadIn(through(define, 'a', 'bad', 'c'))).toEqual([`0: ${operator} in-0@1 FUNCTION_FAILED bad`]);
  });

  it('that is a sink puts away what it cannot encode, and leaves nothing of it in its output', () => {
    const rig = through((s) => s.source('s', IN).map((text) => (text === 'bad' ? '\ud800' : text)).sink('o', OUT, { onBadRecord: DEAD }), 'a', 'bad', 'c');
    expect(deadIn(rig)).toEqual(['0: o in-0@1 OUTPUT_UNENCODABLE bad']);
    expect(outOf(rig)).toEqual(['a', 'c']);
  });

  it('that needs a key drops a record without one', () => {
    const rig = new PipelineRig((s) => s.source('s', IN).entries({ onBadRecord: 'skip' }).map(({ value }) => value!).sink('o', OUT), ONE);
    expect(outOf(rig.feed([{ key: null, value: 'a' }, { key: 'k', value: 'b' }]))).toEqual(['b']);
  });

  it('deals with its own errors alone: one behind it that fails, fails the task (B1)', () => {
    const define: JobDefinition['define'] = (s) => s.source('s', IN, { onBadRecord: 'skip' }).map((text) => text, { onBadRecord: DEAD }).map(picky).sink('o', OUT);
    const error = thrownBy(() => through(define, 'bad'));
    expect([error.code, error.context['operator']]).toEqual(['FUNCTION_FAILED', 'map-2']);
  });

  it('leaves an error to the one behind it where it arose (B1)', () => {
    const define: JobDefinition['define'] = (s) => s.source('s', IN).map((text) => text, { onBadRecord: 'fail' }).map(picky, { onBadRecord: DEAD }).sink('o', OUT);
    expect(deadIn(through(define, 'bad'))).toEqual(['0: map-2 in-0@0 FUNCTION_FAILED bad']);
  });

  it('fails the task for what is no matter of a record: a key that lies elsewhere (B2)', () => {
    const define: JobDefinition['define'] = (s) =>
      s.source('s', IN).keyBy(utf8, (text) => text, { ...lyingIn(1), onBadRecord: 'skip' }).mapWithState<number, string>('m', float64, (value) => ({ state: 1, value })).sink('o', OUT);
    expect(thrownBy(() => new PipelineRig(define, { partitions: 2 }).feed(rows('a'))).code).toBe('KEY_ELSEWHERE');
  });

  it('puts a record away once, however many of its results are bad (B6)', () => {
    const define: JobDefinition['define'] = (s) => s.source('s', IN).flatMap<string>((text, out) => [...text].forEach(() => out.collect('\ud800'))).sink('o', OUT, { onBadRecord: DEAD });
    const rig = through(define, 'abc', 'de');
    expect(deadIn(rig)).toEqual(['0: o in-0@0 OUTPUT_UNENCODABLE abc', '0: o in-0@1 OUTPUT_UNENCODABLE de']);
    expect(commit(rig)).toEqual([[expect.objectContaining({ deadLettered: 2 })]]);
  });

  it('keeps what its function did before it threw: the value that it collected, and the state that it updated', () => {
    class Half extends KeyedFlatMap<string, string, string> {
      #count!: ValueState<number>;
      override open(context: KeyedContext<string>): void {
        this.#count = context.state(valueState('count', float64));
      }
      override flatMap(value: string, out: Collector<string>): void {
        const count = (this.#count.value() ?? 0) + 1;
        this.#count.update(count);
        out.collect(`${value}${count}`);
        picky(value);
      }
    }
    const define: JobDefinition['define'] = (s) => s.source('s', IN).keyBy(utf8, () => 'k', lyingIn(0)).flatMap('half', () => new Half(), { onBadRecord: 'skip' }).sink('o', OUT);
    expect(outOf(through(define, 'a', 'bad', 'c'))).toEqual(['a1', 'bad2', 'c3']);
  });

  it('keeps nothing where state and result are returned together', () => {
    const define: JobDefinition['define'] = (s) =>
      s.source('s', IN).keyBy(utf8, () => 'k', lyingIn(0)).mapWithState<number, string>('m', float64, (value, count = 0) => ({ state: count + 1, value: `${picky(value)}${count + 1}` }), { onBadRecord: 'skip' }).sink('o', OUT);
    expect(outOf(through(define, 'a', 'bad', 'c'))).toEqual(['a1', 'c2']);
  });
});

describe('what no record can be dropped for', () => {
  it('is a timer: what throws there or behind it fails the task (B4)', () => {
    class Ticking extends KeyedProcess<string, string, string> {
      #context!: KeyedContext<string>;
      override open(context: KeyedContext<string>): void {
        this.#context = context;
      }
      override process(): void {
        this.#context.timerService.registerProcessingTimeTimer(WALL - 1);
      }
      override onTimer(_: number, out: Collector<string>): void {
        out.collect('bad');
      }
    }
    const define: JobDefinition['define'] = (s) =>
      s.source('s', IN).keyBy(utf8, () => 'k', lyingIn(0)).process('tick', () => new Ticking()).map(picky, { onBadRecord: 'skip' }).sink('o', OUT);
    const rig = new PipelineRig(define, ONE).feed(rows('a'));
    expect(thrownBy(() => rig.pipeline.fireTimers(10, rig.store)).message).toContain('timers of tick');
  });
});

describe('a bad record of a broadcast', () => {
  class Rules extends KeyedBroadcastProcess<string, string, string, string> {
    override open(context: KeyedBroadcastContext<string>): void {
      context.broadcastState(broadcastState('rules', utf8, utf8));
    }
    override processBroadcast(rule: string): void {
      picky(rule);
    }
    override process(value: string, out: Collector<string>): void {
      out.collect(value);
    }
  }
  const define: JobDefinition['define'] = (s) => {
    const rules = s.source('rules', topic('rules', { key: utf8, value: utf8 }), { onBadRecord: DEAD }).broadcast();
    s.source('s', IN).keyBy(utf8, () => 'k', lyingIn(0)).connect(rules).process('checked', () => new Rules(), { onBadRecord: DEAD }).sink('o', OUT);
  };

  it('is put away by task 0 alone, for every task has read it (B5)', () => {
    const [first, second] = [0, 1].map((plan) => new PipelineRig(define, { partitions: 2, plan }).feed(rows(NOT_UTF8, 'bad', 'good'), 'rules', 1));
    expect(deadIn(first!)).toEqual(['1: rules rules-1@0 RECORD_UNDECODABLE \xff', '1: checked rules-1@1 FUNCTION_FAILED bad']);
    expect([deadIn(second!), commit(second!)]).toEqual([[], []]);
  });
});
