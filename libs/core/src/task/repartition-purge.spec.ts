import { describe, expect, it } from '@jest/globals';
import { ManualClock, RecordingTelemetry } from '@weir/testing';
import { offset, taskIndex } from '../model/brands.js';
import type { PartitionOffset } from '../model/topic-partition.js';
import { PURGE_INTERVAL_MS, RepartitionPurge } from './repartition-purge.js';
import type { InputTopic } from './task-plan.js';

const input = (type: InputTopic['type'], topic: string): InputTopic => ({ type, topic, topicId: topic, partitions: 4 }) as InputTopic;

/** A log that takes down what it is asked to delete, and answers when the spec says so. */
class DeletionLog {
  readonly asked: string[][] = [];
  #answers: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];

  deleteRecordsBefore(partitions: readonly PartitionOffset[]): Promise<void> {
    this.asked.push(partitions.map((at) => `${at.topic}-${at.partition} below ${at.offset}`));
    return new Promise((resolve, reject) => this.#answers.push({ resolve, reject }));
  }

  async answer(error?: Error): Promise<void> {
    for (const { resolve, reject } of this.#answers.splice(0)) {
      if (error === undefined) resolve();
      else reject(error);
    }
    for (let turns = 0; turns < 5; turns++) await Promise.resolve();
  }
}

interface Parts {
  readonly clock: ManualClock;
  readonly log: DeletionLog;
  readonly telemetry: RecordingTelemetry;
  readonly purge: RepartitionPurge;
}

function make(inputs: readonly InputTopic[] = [input('repartition', 'by-site')]): Parts {
  const clock = new ManualClock({ seed: 1 });
  const log = new DeletionLog();
  const telemetry = new RecordingTelemetry();
  return { clock, log, telemetry, purge: new RepartitionPurge(planOf(inputs), { log, clock, telemetry }) };
}

const planOf = (inputs: readonly InputTopic[]) => ({ job: 'counts', subTopology: 1, task: taskIndex(2), inputs });

const at = (topic: string, partition: number, next: number): PartitionOffset => ({ topic, partition, offset: offset(next) });

describe('the purge of repartition topics', () => {
  it('deletes below the committed offsets of repartition inputs, and of no other input', () => {
    const shuffled = [input('repartition', 'by-site'), input('repartition', 'by-id')];
    const { log, purge } = make([input('source', 'readings'), input('broadcast', 'rules'), ...shuffled]);
    purge.onCommitted([at('readings', 1, 100), at('by-site', 1, 20), at('by-site', 5, 30), at('rules', 0, 7), at('by-id', 1, 8)]);
    expect(log.asked).toEqual([['by-site-1 below 20', 'by-site-5 below 30', 'by-id-1 below 8']]);
  });

  it('asks for nothing where a task reads no repartition topic', () => {
    const { log, purge } = make([input('source', 'readings')]);
    purge.onCommitted([at('readings', 0, 100)]);
    expect(log.asked).toEqual([]);
  });

  it('begins with the first commit, and again with the first one an interval after that', async () => {
    const { clock, log, purge } = make();
    for (let next = 0; next <= 2 * PURGE_INTERVAL_MS; next += 10_000) {
      purge.onCommitted([at('by-site', 0, next)]);
      await log.answer();
      await clock.advance(10_000);
    }
    expect(log.asked).toEqual([['by-site-0 below 0'], ['by-site-0 below 30000'], ['by-site-0 below 60000']]);
  });

  it('never has two under way, however long one takes', async () => {
    const { clock, log, purge } = make();
    purge.onCommitted([at('by-site', 0, 1)]);
    await clock.advance(10 * PURGE_INTERVAL_MS);
    purge.onCommitted([at('by-site', 0, 2)]);
    expect(log.asked).toHaveLength(1);
    await log.answer();
    purge.onCommitted([at('by-site', 0, 3)]);
    expect(log.asked).toEqual([['by-site-0 below 1'], ['by-site-0 below 3']]);
  });

  it('tells a failure and drops it, and tries again an interval later', async () => {
    const { clock, log, purge, telemetry } = make();
    purge.onCommitted([at('by-site', 0, 1)]);
    await log.answer(new Error('no leader'));
    expect(telemetry.of('purge-failed')).toEqual([{ type: 'purge-failed', job: 'counts', subTopology: 1, task: 2, error: new Error('no leader') }]);
    purge.onCommitted([at('by-site', 0, 2)]);
    expect(log.asked).toHaveLength(1);
    await clock.advance(PURGE_INTERVAL_MS);
    purge.onCommitted([at('by-site', 0, 3)]);
    expect(log.asked).toEqual([['by-site-0 below 1'], ['by-site-0 below 3']]);
  });

  it('drops an error that is thrown at once, too', async () => {
    const refusing = { deleteRecordsBefore: (): Promise<void> => { throw new Error('closed'); } };
    const telemetry = new RecordingTelemetry();
    const purge = new RepartitionPurge(planOf([input('repartition', 'by-site')]), { log: refusing, clock: new ManualClock({ seed: 1 }), telemetry });
    expect(() => purge.onCommitted([at('by-site', 0, 1)])).not.toThrow();
    await Promise.resolve();
    expect(telemetry.of('purge-failed').map(({ error }) => error.message)).toEqual(['closed']);
  });
});
