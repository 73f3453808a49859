import { describe, expect, it } from '@jest/globals';
import { utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { checkBadRecords, deadLetterTopicsOf } from './bad-record-checks.js';
import { type BadRecordPolicy, compilePolicy, isBadRecordPolicy } from './bad-records.js';
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

  it('may be preceded by retries, whose delays have defaults', () => {
    const retried = { policy: { deadLetter: 'dead' }, retries: { attempts: 3 } };
    expect(isBadRecordPolicy(retried) && compilePolicy(retried)).toEqual({ action: { deadLetter: 'dead' }, retries: { attempts: 3, delay: 1_000, multiplier: 2, maxDelay: 60_000 } });
    const all = { attempts: 1_000, delay: 0, multiplier: 1.5, maxDelay: 3_600_000 };
    expect(isBadRecordPolicy({ policy: 'fail', retries: all }) && compilePolicy({ policy: 'fail', retries: all })).toEqual({ action: 'fail', retries: all });
    expect(compilePolicy('skip')).toEqual({ action: 'skip', retries: undefined });
  });

  it.each([{}, { attempts: 0 }, { attempts: 1_001 }, { attempts: '3' }, { attempts: 1, delay: -1 }, { attempts: 1, multiplier: 0.5 }, { attempts: 1, maxDelay: 1e9 }, { attempts: 1, jitter: 1 }, null])(
    'is none with retries that cannot be: %j',
    (retries) => {
      expect([isBadRecordPolicy({ policy: 'skip', retries }), isBadRecordPolicy({ policy: 'drop', retries: { attempts: 1 } }), isBadRecordPolicy({ retries: { attempts: 1 } })]).toEqual([false, false, false]);
    },
  );

  it('names the topics that are needed, those of operators and that of the job', () => {
    expect(deadLetterTopicsOf(graphOf().nodes, 'fail')).toEqual([]);
    expect(deadLetterTopicsOf(graphOf({ deadLetter: 'a' }).nodes, { deadLetter: 'b' })).toEqual(['a', 'b']);
    expect(deadLetterTopicsOf(graphOf({ policy: { deadLetter: 'a' }, retries: { attempts: 1 } }).nodes, 'fail')).toEqual(['a']);
    const allSaid = graphOf({ deadLetter: 'a' }).nodes.filter(({ name, kind }) => name !== 't' && kind !== 'stateless');
    expect(deadLetterTopicsOf(allSaid, { deadLetter: 'b' })).toEqual(['a']);
  });

  it('is refused where there is no such, with the operator', () => {
    const error = thrownBy(() => checkBadRecords(graphOf('drop' as 'skip'), 'fail'));
    expect(error.message).toContain('onBadRecord of "s" is "drop". Use one of fail, skip, { deadLetter: <name of a topic> }, { policy: ');
  });

  it.each(['in', 'out'])('is refused where the job has another use for the dead-letter topic: %s', (name) => {
    expect(thrownBy(() => checkBadRecords(graphOf({ deadLetter: name }), 'fail')).message).toContain(`topic "${name}" takes dead letters, and is that of`);
    expect(thrownBy(() => checkBadRecords(graphOf(), { deadLetter: name })).code).toBe('TOPOLOGY_INVALID');
    expect(() => checkBadRecords(graphOf(), { deadLetter: 'dead' })).not.toThrow();
  });
});
