import { describe, expect, it } from '@jest/globals';
import { defineErrors, error, isWeirError, WeirError } from './weir-error.js';

const errors = defineErrors({
  fixed: error({
    code: 'FIXED',
    kind: 'retry',
    message: (c: { what: string }) => `Cannot open ${c.what}.`,
    advice: 'Wait.',
    example: { what: 'a door' },
  }),
  computed: error({
    code: 'COMPUTED',
    kind: 'invalid',
    message: (c: { count: number }) => `There are ${c.count}.`,
    advice: (c) => `Use ${c.count - 1}.`,
    example: { count: 2 },
  }),
});

describe('WeirError', () => {
  it('says what happened, the next move and last its code, and carries the facts as fields', () => {
    const cause = new Error('locked');
    const thrown = errors.fixed({ what: 'the log' }, cause);
    expect(thrown).toBeInstanceOf(WeirError);
    expect(thrown).toBeInstanceOf(Error);
    expect(thrown.message).toBe('Cannot open the log. Wait. [FIXED]');
    expect([thrown.name, thrown.kind, thrown.code, thrown.context, thrown.cause]).toEqual(['WeirError', 'retry', 'FIXED', { what: 'the log' }, cause]);
  });

  it('has advice that may depend on the facts', () => {
    expect(errors.computed({ count: 5 }).message).toBe('There are 5. Use 4. [COMPUTED]');
  });

  it('has no cause where none was given', () => {
    expect('cause' in errors.fixed({ what: 'x' })).toBe(false);
    expect(errors.fixed({ what: 'x' }, null).cause).toBeNull();
  });

  it('lists its definitions for the specs that walk them', () => {
    expect(errors.catalogue.map((definition) => definition.code)).toEqual(['FIXED', 'COMPUTED']);
  });
});

describe('isWeirError', () => {
  it('tells WeirErrors from others, and kinds from each other', () => {
    const thrown: unknown = errors.fixed({ what: 'x' });
    expect([isWeirError(thrown), isWeirError(thrown, 'retry'), isWeirError(thrown, 'fenced')]).toEqual([true, true, false]);
    expect([new Error('x'), 'x', undefined, null, { kind: 'retry' }].map((other) => isWeirError(other))).toEqual([false, false, false, false, false]);
  });
});
