import { describe, expect, it } from '@jest/globals';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { CATALOGUE_VERSION, checkCatalogue, decodeCatalogue, encodeCatalogue, type StateCatalogue } from './state-catalogue.js';

const GOLDEN =
  '{"version":1,"job":"alerts","parallelism":4,"maxParallelism":128,"inputs":{"readings":4},"operators":{' +
  '"jump":{"keyCodec":"utf8","keyVersion":1,"partitioner":"murmur2","states":{"last":{"kind":"value","codec":"float64","version":1,"id":616215214}}}}}';

const CATALOGUE: StateCatalogue = {
  version: 1,
  job: 'alerts',
  parallelism: 4,
  maxParallelism: 128,
  inputs: { readings: 4 },
  operators: {
    jump: { keyCodec: 'utf8', keyVersion: 1, partitioner: 'murmur2', states: { last: { kind: 'value', codec: 'float64', version: 1, id: 616215214 } } },
  },
};

/** The catalogue with `edit` made to a copy. */
function edited(edit: (copy: Mutable) => void): StateCatalogue {
  const copy = JSON.parse(GOLDEN) as Mutable;
  edit(copy);
  return copy as unknown as StateCatalogue;
}
interface Mutable {
  job: string;
  parallelism: number;
  maxParallelism: number;
  inputs: Record<string, number>;
  operators: Record<string, { keyCodec: string; keyVersion: number; partitioner?: string; states: Record<string, Record<string, unknown>> }>;
}
const check = (declared: StateCatalogue, recorded = CATALOGUE): void => checkCatalogue(recorded, declared, 'alerts-0-0-changelog-2');
const decode = (text: string): StateCatalogue => decodeCatalogue(Buffer.from(text), 'alerts-0-0-changelog-2');

describe('the state catalogue', () => {
  it('has version 1, and the bytes that it always had', () => {
    expect(CATALOGUE_VERSION).toBe(1);
    expect(encodeCatalogue(CATALOGUE).toString('utf8')).toBe(GOLDEN);
    expect(decode(GOLDEN)).toEqual(CATALOGUE);
  });

  it.each([
    ['', 'its catalogue is no JSON'],
    ['{"version":2}', 'its catalogue has version 2, and this Weir reads 1'],
    ['null', 'its catalogue is damaged'],
    ['[]', 'its catalogue is damaged'],
    ['5', 'its catalogue is damaged'],
    ['{"version":1}', 'its catalogue is damaged'],
    [GOLDEN.replace('"job":"alerts",', ''), 'its catalogue is damaged'],
    [GOLDEN.replace('"parallelism":4', '"parallelism":"4"'), 'its catalogue is damaged'],
    [GOLDEN.replace('"inputs":{"readings":4}', '"inputs":null'), 'its catalogue is damaged'],
    [GOLDEN.replace('"inputs":{"readings":4}', '"inputs":{"readings":null}'), 'its catalogue is damaged'],
    [GOLDEN.replace(/"operators":.*/, '"operators":{"jump":null}}'), 'its catalogue is damaged'],
    [GOLDEN.replace(/"states":.*/, '"states":[null]}}}'), 'its catalogue is damaged'],
    [GOLDEN.replace('"kind":"value"', '"kind":5'), 'its catalogue is damaged'],
  ])('is refused where it cannot be read: %s', (text, problem) => {
    const thrown = thrownBy(() => decode(text));
    expect(thrown.code).toBe('STATE_INCOMPATIBLE');
    expect(thrown.message).toContain(`The state in alerts-0-0-changelog-2 does not fit the job: ${problem}`);
  });
});

describe('checkCatalogue', () => {
  it('takes the same declarations, and whatever is new', () => {
    check(CATALOGUE);
    check(edited(({ operators, inputs }) => {
      operators['jump']!.states['count'] = { kind: 'value', codec: 'int64', version: 1, id: 1 };
      operators['other'] = { keyCodec: 'int64', keyVersion: 1, states: {} };
      inputs['limits'] = 4;
    }));
  });

  it('leaves the partitioner to the keys, which are checked one by one', () => {
    check(edited(({ operators }) => delete operators['jump']!.partitioner));
    check(edited(({ operators }) => (operators['jump']!.partitioner = 'crc32')));
  });

  it.each<readonly [string, (copy: Mutable) => void, string, string]>([
    ['another job', (c) => (c.job = 'b'), 'APPLICATION_ID_TAKEN', 'belongs to job alerts, and job b was started with the same applicationId'],
    ['another parallelism', (c) => (c.parallelism = 8), 'PARALLELISM_CHANGED', 'with parallelism 4, and the job now wants 8'],
    ['another maxParallelism', (c) => (c.maxParallelism = 64), 'STATE_INCOMPATIBLE', 'maxParallelism was 128 and is 64'],
    ['an operator less', (c) => delete c.operators['jump'], 'STATE_INCOMPATIBLE', 'operator "jump" has state, and the job no longer has it'],
    ['another key codec', (c) => (c.operators['jump']!.keyCodec = 'json'), 'STATE_INCOMPATIBLE', 'the key of operator "jump" was utf8 and is json'],
    [
      'another version of the key codec',
      (c) => (c.operators['jump']!.keyVersion = 2),
      'STATE_INCOMPATIBLE',
      'the key of operator "jump" was version 1 of utf8 and is version 2',
    ],
    ['a state less', (c) => delete c.operators['jump']!.states['last'], 'STATE_INCOMPATIBLE', 'state "last" of operator "jump" is no longer declared'],
    [
      'another kind of state',
      (c) => (c.operators['jump']!.states['last']!['kind'] = 'list'),
      'STATE_INCOMPATIBLE',
      'state "last" of operator "jump" was a value state and is a list state',
    ],
    [
      'another codec of a state',
      (c) => (c.operators['jump']!.states['last']!['codec'] = 'json'),
      'STATE_INCOMPATIBLE',
      'state "last" of operator "jump" was float64 and is declared json',
    ],
    [
      'another version of a codec',
      (c) => (c.operators['jump']!.states['last']!['version'] = 2),
      'STATE_INCOMPATIBLE',
      'was version 1 of float64 and is declared version 2',
    ],
    ['an input less', (c) => delete c.inputs['readings'], 'STATE_INCOMPATIBLE', 'the job no longer reads topic readings'],
    ['an input with other partitions', (c) => (c.inputs['readings'] = 8), 'INPUT_PARTITIONS_CHANGED', 'has 8 partitions, and the job'],
  ])('refuses %s', (_, edit, code, text) => {
    const thrown = thrownBy(() => check(edited(edit)));
    expect([thrown.code, thrown.kind]).toEqual([code, 'invalid']);
    expect(thrown.message).toContain(text);
  });

  it.each([
    [{ keyCodec: 'int64', keyVersion: 1 }, 'state "last" of operator "jump" had keys of utf8 and is declared with keys of int64'],
    [{ keyCodec: 'utf8', keyVersion: 2 }, 'had keys of version 1 of utf8 and is declared with version 2'],
    [{ keyCodec: undefined, keyVersion: undefined }, 'had keys of utf8 and is declared with keys of none'],
  ])('refuses a map whose own keys are encoded otherwise: %j', (keys, text) => {
    const withKeys = (more: object) => edited(({ operators }) => Object.assign(operators['jump']!.states['last']!, { kind: 'map' }, more));
    const recorded = withKeys({ keyCodec: 'utf8', keyVersion: 1 });
    check(recorded, recorded);
    expect(thrownBy(() => check(withKeys(keys), recorded)).message).toContain(text);
  });

  it('is not misled by names that every object has', () => {
    const recorded = edited(({ operators, inputs }) => {
      operators['constructor'] = operators['jump']!;
      inputs['toString'] = 4;
    });
    expect(thrownBy(() => check(CATALOGUE, recorded)).message).toContain('operator "constructor" has state, and the job no longer has it');
    const input = edited(({ inputs }) => (inputs['toString'] = 4));
    expect(thrownBy(() => check(CATALOGUE, input)).message).toContain('no longer reads topic toString');
  });
});
