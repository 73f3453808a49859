import type { Barrier } from '../checkpoint/barrier.js';
import { utf8 } from '../codec/primitives.js';
import type { JobDefinition } from '../job/job-definition.js';
import type { LogChunk } from '../ports/log.js';
import type { TelemetryEvent } from '../ports/telemetry.js';
import { CacheBudget } from '../state/cache-budget.js';
import { FakeStore } from '../state/fake-store.spec-d.js';
import { topic } from '../topology/topic.js';
import { EpochEffects } from './epoch-effects.js';
import { Pipeline } from './pipeline.js';
import { chunkOf, outputsOf, plansOf, type PlanOptions, type Row, rowsOf } from './task-rig.spec-d.js';

/** A pipeline with its store and its effects: what the specs of operators share. */
export const IN = topic('in', { key: utf8, value: utf8 });
export const OUT = topic('out', { key: utf8, value: utf8 });
export const BY_KEY = { alreadyPartitioned: { partitioner: 'auto' } } as const;
/** A declaration that takes every key for lying where it does. */
export const lyingIn = (partition: number) => ({ alreadyPartitioned: { partitioner: () => partition } }) as const;
export const WALL = 1_700_000_000_000;

export class PipelineRig {
  readonly store: FakeStore;
  readonly effects = new EpochEffects();
  readonly barriers: string[] = [];
  readonly events: TelemetryEvent[] = [];
  readonly pipeline: Pipeline;

  constructor(define: JobDefinition['define'], { plan = 0, attempt = 0, store = new FakeStore(), ...options }: PlanOptions & PipelineRigOptions = {}) {
    this.store = store;
    this.pipeline = new Pipeline(plansOf(define, options)[plan]!, attempt, {
      clock: { wall: () => WALL, monotonic: () => 0 },
      telemetry: { emit: (event) => void this.events.push(event) },
      cacheBudget: new CacheBudget(Infinity),
      onBarrier: (from, partition, { id, writer }: Barrier) => void this.barriers.push(`${from}-${partition} ${id} of ${writer}`),
    });
    this.pipeline.writeTo(this.effects);
    this.pipeline.load(store, store.position !== undefined);
  }

  feed(rows: readonly Row[], from = 'in', partition = 0): this {
    this.process(chunkOf(from, partition, rows));
    return this;
  }

  process(chunk: LogChunk): void {
    this.pipeline.process(chunk, this.store);
  }

  get out(): string[] {
    return outputsOf(this.effects);
  }

  /** Values of the one output topic's partition 0. */
  get values(): string[] {
    return this.effects.outputAppends().flatMap(({ records }) => rowsOf(records).map(([, value]) => value));
  }
}

export interface PipelineRigOptions {
  /** Which of the job's tasks. */
  readonly plan?: number;
  readonly attempt?: number;
  readonly store?: FakeStore;
}

/** One partition of every topic, for specs that are not about them. */
export const ONE = { partitions: 1 } as const;
