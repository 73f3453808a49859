import { describe, expect, it } from '@jest/globals';
import { utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { KeyedBroadcastProcess } from './functions.js';
import { GraphBuilder } from './stream-builder.js';
import { type OutOfRangePolicy, topic } from './topic.js';

const of = (name: string) => topic(name, { key: utf8, value: utf8 });

class Nothing extends KeyedBroadcastProcess<string, string, string, string> {
  override process(): void {}
  override processBroadcast(): void {}
}

/** A source with a policy of its own beside a broadcast with another. */
function build(policy: OutOfRangePolicy | undefined, ofBroadcast: OutOfRangePolicy | undefined): OutOfRangePolicy[] {
  const builder = new GraphBuilder('job');
  const options = (onOffsetOutOfRange: OutOfRangePolicy | undefined) => (onOffsetOutOfRange === undefined ? {} : { onOffsetOutOfRange });
  const rules = builder.source('rules', of('rules'), options(ofBroadcast)).map((text) => text);
  builder
    .source('in', of('in'), options(policy))
    .keyBy(utf8, (text) => text)
    .connect(rules.broadcast())
    .process('nothing', () => new Nothing())
    .sink('out', of('out'));
  return builder.build().nodes.flatMap((node) => (node.kind === 'source' ? [node.onOffsetOutOfRange] : []));
}

describe('what a source does where its offset is not in the log', () => {
  it('is to fail, unless it says otherwise', () => {
    expect(build(undefined, undefined)).toEqual(['fail', 'fail']);
    expect(build('earliest', 'fail')).toEqual(['fail', 'earliest']);
    expect(build('latest', undefined)).toEqual(['fail', 'latest']);
  });

  it('is refused if it is no policy', () => {
    const thrown = thrownBy(() => build('none' as OutOfRangePolicy, undefined));
    expect([thrown.code, thrown.kind]).toEqual(['TOPOLOGY_INVALID', 'invalid']);
    expect(thrown.message).toMatch(/onOffsetOutOfRange of "in" is "?none"?\. Use one of fail, earliest, latest\./);
  });

  it.each(['earliest', 'latest'] as const)('is never to skip where the source is broadcast: %s', (policy) => {
    expect(thrownBy(() => build('fail', policy)).message).toContain(`onOffsetOutOfRange of "rules" is ${policy}, and it is broadcast: tasks would skip different parts`);
  });
});
