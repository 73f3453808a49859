import { describe, expect, it } from '@jest/globals';
import { utf8 } from '../codec/primitives.js';
import { errors } from '../errors/errors.js';
import { WeirError } from '../errors/weir-error.js';
import { RECORD_TOO_LARGE, type RecordTooLarge } from '../ports/log.js';
import { EPOCH_RECORD_KEY } from '../state/stored-key.js';
import { topic } from '../topology/topic.js';
import { EpochEffects } from './epoch-effects.js';
import { plansOf } from './task-rig.spec-d.js';
import { explainTooLarge } from './too-large.js';

const text = (name: string) => topic(name, { key: utf8, value: utf8 });
const [plan] = plansOf((streams) => {
  const source = streams.source('in', text('in'));
  source.sink('all', text('out'));
  source.filter(() => true).sink('some', text('out'));
  source.sink('other', text('other'));
});

const refusal = (context: RecordTooLarge): WeirError => new WeirError('invalid', RECORD_TOO_LARGE, 'refused', { ...context });
const explained = (of: Partial<RecordTooLarge>, write: (effects: EpochEffects) => void): string => {
  const effects = new EpochEffects();
  write(effects);
  return String(explainTooLarge(refusal({ topic: 'out', partition: 0, row: 0, bytes: 20, limit: 10, ...of }), effects, plan!, () => undefined));
};
const output = (name: string, key: string | null) => (effects: EpochEffects) => effects.writersOf(name, 1)[0]!.add(1, key === null ? null : Buffer.from(key), Buffer.from('v'));

describe('a record that is too large', () => {
  it('is that of all sinks that write its topic', () => {
    expect(explained({}, output('out', 'k'))).toContain('A record of sinks all, some with key "k" (1 bytes) takes 20 bytes');
    expect(explained({ topic: 'other' }, output('other', 'k'))).toContain('A record of sink other with key "k" (1 bytes)');
  });

  it('may have no key', () => {
    expect(explained({}, output('out', null))).toContain('A record of sinks all, some with no key takes');
  });

  it("is the user's topic to widen where a sink writes it, and Weir's own setting where it is state", () => {
    expect(explained({}, output('out', 'k'))).toContain('Raise max.message.bytes of the topic and what its consumers fetch');
    const own = explained({ topic: plan!.changelog.topic }, ({ changes }) => changes.add(1, EPOCH_RECORD_KEY, Buffer.from('{}')));
    expect(own).toContain('internalTopics.maxMessageBytes');
  });

  it('may be one that Weir writes for itself', () => {
    const own = explained({ topic: plan!.changelog.topic }, ({ changes }) => changes.add(1, EPOCH_RECORD_KEY, Buffer.from('{}')));
    expect(own).toContain('The epoch record or the catalogue takes 20 bytes');
  });

  it('is given back as the log told it where its place is not in the epoch, like every other error', () => {
    const effects = new EpochEffects();
    const elsewhere = refusal({ topic: 'out', partition: 3, row: 5, bytes: 20, limit: 10 });
    const other = errors.transactionExpired({ task: '0-0', ageMs: 2, timeoutMs: 1 });
    for (const thrown of [elsewhere, other, new Error('another')]) expect(explainTooLarge(thrown, effects, plan!, () => undefined)).toBe(thrown);
  });
});
