import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { checkpointId, incarnation, offset } from '../model/brands.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { decodeEpochRecord, encodeEpochRecord, EPOCH_RECORD_VERSION, type EpochRecord, SNAPSHOT_RECORD_VERSION, withSnapshot } from './epoch-record.js';

const GOLDEN =
  '{"version":1,"incarnation":0,"barrier":7,"sequence":9007199254740991,"inputs":[' +
  '{"topic":"sensor-readings","topicId":"AbC_-9","partition":2,"offset":9007199254740991,"barriers":[]},' +
  '{"topic":"repartition","topicId":"x","partition":0,"offset":0,"barriers":[7,6]}]}';

const GOLDEN_WITH_SNAPSHOT =
  `${GOLDEN.replace('"version":1', '"version":2').slice(0, -1)},` +
  '"snapshot":{"backend":"filesystem","files":["a-1.base","a-2.delta-0"],"kept":["a-0.base"],"rows":12}}';

const RECORD: EpochRecord = {
  version: 1,
  incarnation: incarnation(0),
  barrier: checkpointId(7),
  sequence: Number.MAX_SAFE_INTEGER,
  inputs: [
    { topic: 'sensor-readings', topicId: 'AbC_-9', partition: 2, offset: offset(Number.MAX_SAFE_INTEGER), barriers: [] },
    { topic: 'repartition', topicId: 'x', partition: 0, offset: offset(0), barriers: [checkpointId(7), checkpointId(6)] },
  ],
};

const decode = (text: string): EpochRecord => decodeEpochRecord(Buffer.from(text), 'alerts-0-0-changelog-2');

describe('the epoch record', () => {
  it('has version 1, and the bytes that it always had', () => {
    expect(EPOCH_RECORD_VERSION).toBe(1);
    expect(encodeEpochRecord(RECORD).toString('utf8')).toBe(GOLDEN);
    expect(decode(GOLDEN)).toEqual(RECORD);
  });

  it('says how many partitions an input had, and reads records of before, which did not', () => {
    const [first, second] = RECORD.inputs;
    const bytes = encodeEpochRecord({ ...RECORD, inputs: [{ ...first!, partitions: 8 }, second!] });
    expect(bytes.toString('utf8')).toBe(GOLDEN.replace('"barriers":[]}', '"barriers":[],"partitions":8}'));
    expect(decode(bytes.toString('utf8')).inputs.map(({ partitions }) => partitions)).toEqual([8, undefined]);
    expect(thrownBy(() => decode(bytes.toString('utf8').replace('"partitions":8', '"partitions":"8"'))).message).toContain('its inputs are damaged');
  });

  it('gives back any record that it was made of', () => {
    const barrier = fc.maxSafeNat().map(checkpointId);
    const input = fc.record({
      topic: fc.string(),
      topicId: fc.string(),
      partition: fc.nat(),
      offset: fc.maxSafeNat().map(offset),
      barriers: fc.array(barrier, { maxLength: 4 }),
    });
    const record = fc.record({ version: fc.constant(1 as const), incarnation: fc.nat().map(incarnation), barrier, sequence: fc.maxSafeNat(), inputs: fc.array(input, { maxLength: 4 }) });
    fc.assert(
      fc.property(record, (given) => {
        expect(decodeEpochRecord(encodeEpochRecord(given), 'c')).toEqual(given);
      }),
      { numRuns: 25 },
    );
  });

  it('names its changelog and the problem when it cannot be read, and keeps the cause', () => {
    const thrown = thrownBy(() => decode('{'));
    expect(thrown.message).toMatch(/^The epoch record in alerts-0-0-changelog-2 cannot be read: it is no JSON\. .*\[EPOCH_RECORD_UNREADABLE\]$/);
    expect(thrown.kind).toBe('invalid');
    expect(thrown.cause).toHaveProperty('name', 'SyntaxError');
  });

  it('of a newer version is refused with both versions', () => {
    expect(() => decode('{"version":3}')).toThrow('version 3, and this Weir reads 1 and 2');
  });

  it.each([
    ['empty', ''],
    ['the JSON null', 'null'],
    ['a JSON number', '5'],
    ['a JSON text', '"version"'],
    ['an empty list', '[]'],
    ['an object without fields', '{}'],
    ['a version as text', GOLDEN.replace('"version":1', '"version":"1"')],
    ['a negative incarnation', GOLDEN.replace('"incarnation":0', '"incarnation":-1')],
    ['a broken barrier', GOLDEN.replace('"barrier":7', '"barrier":7.5')],
    ['no sequence', GOLDEN.replace('"sequence":9007199254740991,', '')],
    ['a negative sequence', GOLDEN.replace('"sequence":9007199254740991', '"sequence":-1')],
    ['no barrier', GOLDEN.replace('"barrier":7,', '')],
    ['inputs that are no list', GOLDEN.replace('"inputs":[', '"inputs":{"a":[').replace(/]}$/, ']}}')],
    ['an input that is null', GOLDEN.replace('"inputs":[', '"inputs":[null,')],
    ['an input without a topic id', GOLDEN.replace('"topicId":"x",', '')],
    ['an offset as text', GOLDEN.replace('"offset":0', '"offset":"0"')],
    ['a negative offset', GOLDEN.replace('"offset":0', '"offset":-1')],
    ['an offset that a number cannot hold', GOLDEN.replace('"offset":9007199254740991', '"offset":9007199254740993')],
    ['barriers that are no list', GOLDEN.replace('"barriers":[]', '"barriers":0')],
    ['a broken barrier of an input', GOLDEN.replace('[7,6]', '[7,null]')],
    ['a cut', GOLDEN.slice(0, -1)],
  ])('is refused where it is damaged: %s', (_, text) => {
    expect(text).not.toBe(GOLDEN);
    expect(thrownBy(() => decode(text)).code).toBe('EPOCH_RECORD_UNREADABLE');
  });

  it('that refers to a snapshot has version 2, and the bytes that it always had', () => {
    const referring = withSnapshot(RECORD, { backend: 'filesystem', files: ['a-1.base', 'a-2.delta-0'], kept: ['a-0.base'], rows: 12 });
    expect(SNAPSHOT_RECORD_VERSION).toBe(2);
    expect(encodeEpochRecord(referring).toString('utf8')).toBe(GOLDEN_WITH_SNAPSHOT);
    expect(decode(GOLDEN_WITH_SNAPSHOT)).toEqual(referring);
  });

  it.each([
    ['none', GOLDEN.replace('"version":1', '"version":2')],
    ['null', GOLDEN_WITH_SNAPSHOT.replace(/"snapshot":.*$/, '"snapshot":null}')],
    ['no backend', GOLDEN_WITH_SNAPSHOT.replace('"backend":"filesystem",', '')],
    ['files that are no list', GOLDEN_WITH_SNAPSHOT.replace('["a-1.base","a-2.delta-0"]', '"a-1.base"')],
    ['a file that is a number', GOLDEN_WITH_SNAPSHOT.replace('"a-1.base"', '1')],
    ['no list of kept files', GOLDEN_WITH_SNAPSHOT.replace('"kept":["a-0.base"],', '')],
    ['a negative count', GOLDEN_WITH_SNAPSHOT.replace('"rows":12', '"rows":-1')],
  ])('of version 2 is refused where its snapshot is damaged: %s', (_, text) => {
    expect(text).not.toBe(GOLDEN_WITH_SNAPSHOT);
    expect(() => decode(text)).toThrow('its snapshot is damaged');
  });

  it('is refused at any cut, and never half read', () => {
    const readable = Array.from({ length: GOLDEN.length }, (_, end) => end).filter((end) => {
      try {
        decode(GOLDEN.slice(0, end));
        return true;
      } catch {
        return false;
      }
    });
    expect(readable).toEqual([]);
  });
});
