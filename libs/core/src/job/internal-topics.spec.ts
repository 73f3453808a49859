import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { utf8 } from '../codec/primitives.js';
import { incarnation } from '../model/brands.js';
import { GraphBuilder } from '../topology/stream-builder.js';
import { topic } from '../topology/topic.js';
import { changelogSpec, changelogTopic, controlSpec, groupId, repartitionSpec, repartitionTopic, taskId, transactionalId } from './internal-topics.js';

describe('the names that Weir makes', () => {
  it('never change, for what they name is found again by them', () => {
    expect([
      changelogTopic('temperature-alerts', incarnation(0), 2),
      repartitionTopic('temperature-alerts', incarnation(1), 'by-id'),
      taskId(0, 12),
      transactionalId('temperature-alerts', 0, 12),
      groupId('temperature-alerts'),
    ]).toEqual(['temperature-alerts-0-2-changelog', 'temperature-alerts-1-by-id-repartition', '0-12', 'temperature-alerts-0-12', 'temperature-alerts']);
  });

  it('fit into a topic name of Kafka, however long an id may be', () => {
    const id = 'x'.repeat(100);
    const names = [changelogTopic(id, incarnation(999_999), 99_999), repartitionTopic(id, incarnation(999_999), 'y'.repeat(100))];
    for (const name of names) expect(name).toMatch(/^[A-Za-z0-9._-]{1,249}$/);
  });
});

describe("trap 14: two applications, one of whose ids begins with the other's", () => {
  /** Ids and names made to collide: of few words and numbers, joined by what joins the parts of a name. */
  const part = fc.constantFrom('a', 'b', '0', '1', 'changelog', 'repartition', 'a1', '0b');
  const words = fc.array(part, { minLength: 1, maxLength: 5 }).map((parts) => parts.join('-'));
  const number = fc.constantFrom(0, 1, 10);

  it('have changelogs and transactional ids that differ', () => {
    fc.assert(
      fc.property(fc.tuple(words, number, number), fc.tuple(words, number, number), (one, other) => {
        const same = one.join() === other.join();
        expect(changelogTopic(one[0], incarnation(one[1]), one[2]) === changelogTopic(other[0], incarnation(other[1]), other[2])).toBe(same);
        expect(transactionalId(...one) === transactionalId(...other)).toBe(same);
      }),
      { numRuns: 100 },
    );
    expect(changelogTopic('a', incarnation(0), 0)).not.toBe(changelogTopic('a-0', incarnation(0), 0));
  });

  /** Whether the names that streams allow have this one. */
  const isAllowed = (name: string): boolean => {
    const builder = new GraphBuilder('job');
    const text = topic('in', { key: utf8, value: utf8 });
    builder.source('in', text).keyBy(utf8, (value) => value, { name }).filterWithState('seen', utf8, () => ({ state: '', keep: true }));
    try {
      builder.build();
      return true;
    } catch {
      return false;
    }
  };

  it('have repartition topics that differ, for no shuffle may be named so that they do not', () => {
    expect(repartitionTopic('a', incarnation(0), 'b-0-c')).toBe(repartitionTopic('a-0-b', incarnation(0), 'c'));
    expect([isAllowed('b-0-c'), isAllowed('c')]).toEqual([false, true]);
    fc.assert(
      fc.property(fc.tuple(words, number, words.filter(isAllowed)), fc.tuple(words, number, words.filter(isAllowed)), (one, other) => {
        const same = one.join() === other.join();
        expect(repartitionTopic(one[0], incarnation(one[1]), one[2]) === repartitionTopic(other[0], incarnation(other[1]), other[2])).toBe(same);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the topics that Weir makes', () => {
  it('are compacted where they hold state, and kept without end where their reader purges them', () => {
    const options = { maxMessageBytes: 100_000, replicationFactor: 2 };
    expect(changelogSpec('c', 3, options)).toEqual({ topic: 'c', partitions: 3, replicationFactor: 2, config: { 'cleanup.policy': 'compact', 'max.message.bytes': '100000' } });
    const kept = { 'cleanup.policy': 'delete', 'retention.ms': '-1', 'retention.bytes': '-1', 'max.message.bytes': '100000' };
    expect(repartitionSpec('r', 3, options)).toEqual({ topic: 'r', partitions: 3, replicationFactor: 2, config: kept });
    expect(controlSpec('k', options)).toEqual({ topic: 'k', partitions: 1, replicationFactor: 2, config: { 'cleanup.policy': 'compact' } });
  });
});
