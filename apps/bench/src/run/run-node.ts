import { fileURLToPath } from 'node:url';
import type { ChildTask } from './child-main.js';
import { runToResult } from './child-process.js';

const MAIN = fileURLToPath(new URL('../main.js', import.meta.url));

/** Runs a task of ours in a Node process of its own. */
export const runNode = <T>(task: ChildTask): Promise<T> => runToResult<T>(process.execPath, [MAIN, 'child', JSON.stringify(task)]);
