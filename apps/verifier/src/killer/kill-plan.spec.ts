import { describe, expect, it } from '@jest/globals';
import { NO_CHECKPOINTS_MS, PLANNED_NAMES, type PlannedVariant, planKills, type Step } from './kill-plan.js';

const plan = (variant: PlannedVariant, kills = 30, seed = 1): Step[] =>
  planKills({ variant, kills, seed, checkpointIntervalMs: 100, meanRunMs: 1_000 });
const count = (steps: readonly Step[], of: (step: Step) => boolean): number => steps.filter(of).length;

describe('the plan of the kills', () => {
  it('is the same for the same seed, and another for another', () => {
    for (const variant of PLANNED_NAMES) {
      expect(plan(variant)).toEqual(plan(variant));
      expect(plan(variant)).not.toEqual(plan(variant, 30, 2));
    }
  });

  it('hits processes that run, that restore and that start, each of them in a plan of four kills', () => {
    for (const seed of [1, 2, 3]) {
      const moments = new Set(plan('kill', 4, seed).map(({ moment }) => moment.in));
      expect(moments).toEqual(new Set(['run', 'restore', 'start']));
    }
    const many = plan('kill', 1_000);
    expect(count(many, ({ moment }) => moment.in === 'run')).toBeGreaterThan(500);
    expect(count(many, ({ moment }) => moment.in === 'start')).toBeGreaterThan(100);
    expect(count(many, ({ moment }) => moment.in === 'restore')).toBeGreaterThan(100);
  });

  it('looks at what most of the dead leave behind, and restarts some at once', () => {
    const looked = count(plan('kill', 1_000), ({ inspect }) => inspect);
    expect(looked).toBeGreaterThan(600);
    expect(looked).toBeLessThan(800);
  });

  it('gives half of the lives checkpoints that come more often', () => {
    const often = count(plan('kill', 1_000), ({ checkpointIntervalMs }) => checkpointIntervalMs === 20);
    expect(often).toBeGreaterThan(400);
    expect(often).toBeLessThan(600);
    expect(
      planKills({ variant: 'kill', kills: 50, seed: 1, checkpointIntervalMs: 10, meanRunMs: 1 }).every(
        ({ checkpointIntervalMs }) => checkpointIntervalMs === 10,
      ),
    ).toBe(true);
  });

  it('deletes the state directory between two kills: at least once, and not after the last', () => {
    for (let seed = 0; seed < 50; seed++) {
      const wiped = plan('wipe', 6, seed).map(({ blow }) => blow.act === 'kill' && blow.wipe);
      expect(wiped.filter(Boolean).length).toBeGreaterThanOrEqual(1);
      expect(wiped.at(-1)).toBe(false);
    }
    for (const variant of ['kill', 'memory', 'aborted', 'backlog'] as const)
      expect(count(plan(variant), ({ blow }) => blow.act === 'kill' && !blow.wipe)).toBe(30);
  });

  it('deletes only what a life has had time to fill, and lets the next one restore it', () => {
    for (let seed = 0; seed < 50; seed++) {
      const steps = plan('wipe', 6, seed);
      for (const [i, { blow, moment }] of steps.entries()) {
        if (blow.act !== 'kill' || !blow.wipe) continue;
        expect(moment).toMatchObject({ in: 'run' });
        expect(moment.afterMs).toBeGreaterThanOrEqual(1_000);
        expect(steps[i + 1]!.moment).toMatchObject({ in: 'run' });
      }
    }
  });

  it('stops every other life that takes no checkpoints of its own, so that only the final one can have committed', () => {
    const steps = plan('term', 10);
    expect(count(steps, ({ blow }) => blow.act === 'terminate')).toBe(10);
    expect(steps.map(({ checkpointIntervalMs }) => checkpointIntervalMs === NO_CHECKPOINTS_MS)).toEqual(steps.map((_, i) => i % 2 === 0));
  });

  it('pauses for two seconds, and lets a rival take over', () => {
    expect(plan('pause').every(({ blow }) => blow.act === 'pause' && blow.forMs === 2_000)).toBe(true);
    expect(plan('zombie').every(({ blow }) => blow.act === 'rival' && blow.duelMs >= 100)).toBe(true);
  });
});
