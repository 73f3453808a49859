import { fileURLToPath } from 'node:url';
import type { ChildTask } from './child-main.js';
import { runToResult, type Watch } from './child-process.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

interface NodeRun {
  /** Node's own, before the program. */
  readonly flags: readonly string[];
  readonly watch: Watch;
}

/** Runs a task of ours in a Node process of its own. */
export const runNode = <T>(task: ChildTask, { flags, watch }: Partial<NodeRun> = {}): Promise<T> =>
  runToResult<T>(process.execPath, [...(flags ?? []), MAIN, 'child', JSON.stringify(task)], watch);
