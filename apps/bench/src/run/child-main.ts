import type { MemorySpec } from '../memory/memory-spec.js';
import type { MicroCase } from '../micro/cases.js';
import type { PressureSpec } from '../pressure/pressure-run.js';
import type { RunResult } from './run-meter.js';
import type { StatesSpec } from '../states/states-run.js';
import { RESULT_LINE, type RunSpec } from './run-spec.js';

/** What a process of the benchmark's own is started for: the argument behind `child`, as JSON. */
export type ChildTask =
  | { readonly type: 'weir'; readonly spec: RunSpec }
  | { readonly type: 'weir-idle'; readonly spec: RunSpec; readonly seconds: number }
  | { readonly type: 'bare'; readonly spec: RunSpec }
  | { readonly type: 'pressure'; readonly spec: PressureSpec }
  | { readonly type: 'micro'; readonly name: MicroCase }
  | { readonly type: 'memory'; readonly spec: MemorySpec }
  | { readonly type: 'states'; readonly spec: StatesSpec };

/** Each kind loads what it needs alone, so that no peer carries another's modules in its memory. */
export async function runChild(text: string): Promise<void> {
  const task = JSON.parse(text) as ChildTask;
  const result = await resultOf(task);
  process.stdout.write(`${RESULT_LINE}${JSON.stringify(result)}\n`, () => process.exit(0));
}

async function resultOf(task: ChildTask): Promise<RunResult | object> {
  switch (task.type) {
    case 'weir':
      return (await import('./weir-run.js')).runWeir(task.spec);
    case 'weir-idle':
      return (await import('./weir-run.js')).runWeirIdle(task.spec, task.seconds);
    case 'bare':
      return (await import('./bare.js')).runBare(task.spec);
    case 'pressure':
      return (await import('../pressure/pressure-run.js')).runPressure(task.spec);
    case 'micro':
      return { nanoseconds: await (await import('../micro/cases.js')).MICRO_CASES[task.name]() };
    case 'memory':
      return (await import('../memory/memory-run.js')).runMemory(task.spec);
    case 'states':
      return { nanoseconds: await (await import('../states/states-run.js')).runState(task.spec) };
  }
}
