import { describe, expect, it } from '@jest/globals';
import { float64, json, utf8 } from '../codec/primitives.js';
import { thrownBy } from '../errors/thrown-by.spec-d.js';
import { isSingleStage, ownedPartitions, type TaskPlan } from '../task/task-plan.js';
import { plansOf, type PlanOptions, repartitionTopicOf } from '../task/task-rig.spec-d.js';
import { topic } from '../topology/topic.js';
import type { JobDefinition } from './job-definition.js';

const text = (name: string) => topic(name, { key: utf8, value: utf8 });
const copying: JobDefinition['define'] = (streams) => streams.source('in', text('in')).sink('out', text('out'));
const twoSources: JobDefinition['define'] = (streams) => {
  copying(streams);
  streams.source('more', text('more')).sink('more-out', text('more-out'));
};
const joining: JobDefinition['define'] = (streams) => streams.source('in', text('in')).union(streams.source('more', text('more'))).sink('out', text('out'));
const shuffling: JobDefinition['define'] = (streams) =>
  streams
    .source('in', text('in'))
    .keyBy(utf8, (value) => value, { name: 'r' })
    .filterWithState('seen', float64, () => ({ state: 1, keep: true }))
    .sink('out', text('out'));
const shapes = (define: JobDefinition['define'], options: PlanOptions): string[] =>
  plansOf(define, options).map(({ subTopology, task, parallelism, changelog }) => `${subTopology}-${task} of ${parallelism}, ${changelog.topic}-${changelog.partition}`);

describe('the tasks of a job', () => {
  it('are as many as the input has partitions, at most four', () => {
    expect(shapes(copying, { partitions: 2 })).toEqual(['0-0 of 2, app-0-0-changelog-0', '0-1 of 2, app-0-0-changelog-1']);
    expect(shapes(copying, { partitions: 6 })).toHaveLength(4);
  });

  it('are as many as the user says, in every sub-topology', () => {
    expect(shapes(twoSources, { partitions: 6, settings: { parallelism: 2 } })).toEqual([
      '0-0 of 2, app-0-0-changelog-0',
      '0-1 of 2, app-0-0-changelog-1',
      '1-0 of 2, app-0-1-changelog-0',
      '1-1 of 2, app-0-1-changelog-1',
    ]);
  });

  it('own each partition once, q mod P, and nothing else', () => {
    for (const [partitions, parallelism] of [
      [7, 3],
      [4, 4],
      [5, 1],
    ] as const) {
      const plans = plansOf(copying, { partitions, settings: { parallelism } });
      const owned = plans.map((plan) => ownedPartitions(plan, plan.inputs[0]!));
      expect(owned.map((each, task) => each.every((partition) => partition % parallelism === task))).toEqual(plans.map(() => true));
      expect(owned.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, partition) => partition));
    }
  });

  it('have a transactional id and a changelog partition each, which no other task has', () => {
    const plans = plansOf(twoSources, { settings: { parallelism: 3 } });
    expect(plans.map(({ transactionalId }) => transactionalId)).toEqual(['app-0-0', 'app-0-1', 'app-0-2', 'app-1-0', 'app-1-1', 'app-1-2']);
    expect(new Set(plans.map(({ changelog }) => `${changelog.topic}-${changelog.partition}`)).size).toBe(6);
  });

  it('know what their topics are: ids, partitions, retention', () => {
    const [plan] = plansOf(copying, { topics: { in: 3, out: 5 } });
    expect(plan!.inputs).toMatchObject([{ type: 'source', topic: 'in', topicId: 'id-of-in', partitions: 3 }]);
    expect([plan!.sinkPartitions.get('out'), plan!.changelog.topicId, plan!.changelog.deleteRetentionMs]).toEqual([5, 'id-of-app-0-0-changelog', 86_400_000]);
  });

  it('share the check of where keys lie, for one of them learns it for all', () => {
    const keyed: JobDefinition['define'] = (streams) =>
      void streams
        .source('in', text('in'))
        .keyBy(utf8, (value) => value, { alreadyPartitioned: { partitioner: 'auto' } })
        .filterWithState('seen', float64, () => ({ state: 1, keep: true }));
    const [first, second] = plansOf(keyed) as [TaskPlan, TaskPlan];
    expect([first.placements.size, second.placements]).toEqual([1, first.placements]);
  });
});

describe('a plan is refused', () => {
  it('with more tasks than partitions, of which some would have nothing to read', () => {
    const thrown = thrownBy(() => plansOf(copying, { partitions: 4, settings: { parallelism: 5 } }));
    expect([thrown.code, thrown.kind]).toEqual(['PARALLELISM_TOO_HIGH', 'invalid']);
    expect(thrown.message).toContain('Setting parallelism is 5, and topic in has 4 partitions');
  });

  it('with topics of different partition counts in one sub-topology, and not with them in two', () => {
    const counts = { topics: { in: 4, more: 3 } };
    const thrown = thrownBy(() => plansOf(joining, counts));
    expect([thrown.code, thrown.kind]).toEqual(['PARTITION_COUNTS_DIFFER', 'invalid']);
    expect(thrown.message).toContain('in has 4, more has 3');
    expect(plansOf(twoSources, counts).map(({ parallelism }) => parallelism)).toEqual([4, 4, 4, 4, 3, 3, 3]);
  });
});

describe('the tasks behind a shuffle', () => {
  it('read as many partitions as the tasks before it, and know them all by name', () => {
    const plans = plansOf(shuffling, { partitions: 6, settings: { parallelism: 2 } });
    const [upstream, , downstream] = plans as [TaskPlan, TaskPlan, TaskPlan];
    expect(plans.map(({ subTopology, task }) => `${subTopology}-${task}`)).toEqual(['0-0', '0-1', '1-0', '1-1']);
    expect(upstream.repartitionOutputs).toMatchObject([{ topic: repartitionTopicOf('r'), partitions: 6 }]);
    expect(downstream.inputs).toMatchObject([{ type: 'repartition', topic: repartitionTopicOf('r'), partitions: 6, writers: ['0-0', '0-1'] }]);
    expect([downstream.repartitionOutputs, upstream.inputs[0]!.type]).toEqual([[], 'source']);
  });

  it('are as many as the largest of several streams before them needs', () => {
    const merging: JobDefinition['define'] = (streams) => {
      const [a, b] = ['a', 'b'].map((name) =>
        streams
          .source(name, text(name))
          .keyBy(utf8, (value) => value, { name: `by-${name}`, value: json<string>() })
          .filterWithState(`seen-${name}`, float64, () => ({ state: 1, keep: true })),
      );
      a!.union(b!).sink('out', text('out'));
    };
    const plans = plansOf(merging, { topics: { a: 2, b: 3, out: 1 } });
    expect(plans.filter(({ subTopology }) => subTopology === 1).map(({ parallelism, inputs }) => [parallelism, inputs.map(({ partitions }) => partitions)])).toEqual(
      Array.from({ length: 3 }, () => [3, [3, 3]]),
    );
  });

  it('take part in rounds that concern others, too; those of a job without shuffles do not', () => {
    expect(plansOf(shuffling).map(isSingleStage)).toEqual(Array.from({ length: 8 }, () => false));
    expect(plansOf(twoSources).map(isSingleStage)).toEqual(Array.from({ length: 8 }, () => true));
  });
});
