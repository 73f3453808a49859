import { describe, expect, it } from '@jest/globals';
import { utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { checkBadRecords, deadLetterTopicsOf } from './bad-record-checks.js';
import { type BadRecordPolicy, isBadRecordPolicy } from './bad-records.js';
import type { JobGraph } from './graph.js';
import { GraphBuilder } from './stream-builder.js';
import { topic } from './topic.js';

const of = (name: string) => topic(name, { key: utf8, value: utf8 });

function graphOf(onBadRecord?: BadRecordPolicy): JobGraph {
  const builder = new GraphBuilder('job');
  const options = onBadRecord === undefined ? {} : { onBadRecord };
  builder.source('s', of('in'), options).union(builder.source('t', of('other'))).map((text) => text).sink('o', of('out'), { onBadRecord: 'skip' });
  return builder.build();
}

describe('the policy for bad records', () => {
  it('is fail, skip, or a dead-letter topic that can be one', () => {
    expect(['fail', 'skip', { deadLetter: 'dead' }].every(isBadRecordPolicy)).toBe(true);
    const others = ['deadLetter', '', null, 1, {}, { deadLetter: '' }, { deadLetter: '..' }, { deadLetter: 'a b' }, { deadLetter: 'd', retries: 3 }, []];
    expect(others.filter(isBadRecordPolicy)).toEqual([]);
  });

  it('names the topics that are needed, those of operators and that of the job', () => {
    expect(deadLetterTopicsOf(graphOf().nodes, 'fail')).toEqual([]);
    expect(deadLetterTopicsOf(graphOf({ deadLetter: 'a' }).nodes, { deadLetter: 'b' })).toEqual(['a', 'b']);
    const allSaid = graphOf({ deadLetter: 'a' }).nodes.filter(({ name, kind }) => name !== 't' && kind !== 'stateless');
    expect(deadLetterTopicsOf(allSaid, { deadLetter: 'b' })).toEqual(['a']);
  });

  it('is refused where there is no such, with the operator', () => {
    const error = thrownBy(() => checkBadRecords(graphOf('drop' as 'skip'), 'fail'));
    expect(error.message).toContain('onBadRecord of "s" is "drop". Use one of fail, skip, { deadLetter: <name of a topic> }.');
  });

  it.each(['in', 'out'])('is refused where the job has another use for the dead-letter topic: %s', (name) => {
    expect(thrownBy(() => checkBadRecords(graphOf({ deadLetter: name }), 'fail')).message).toContain(`topic "${name}" takes dead letters, and is that of`);
    expect(thrownBy(() => checkBadRecords(graphOf(), { deadLetter: name })).code).toBe('TOPOLOGY_INVALID');
    expect(() => checkBadRecords(graphOf(), { deadLetter: 'dead' })).not.toThrow();
  });
});
