import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { RESULT_LINE } from './run-spec.js';

/** Milliseconds after which a run is given up: far above what any takes. */
const LIMIT_MS = 900_000;
/** Of what a failed run said on stderr, the last lines are shown. */
const LAST_LINES = 30;

/** A run that did not come to a result. */
export class RunFailedError extends Error {
  override readonly name = 'RunFailedError';
}

/** Looks at a running process; what it returns ends that, and may throw what is to be said instead of the run's own failure. */
export type Watch = (child: ChildProcess) => () => void;

/**
 * Runs a program to its end, and returns what its line that begins with RESULT says.
 * @throws RunFailedError with the program's last words if it ends without one; what the watch throws
 */
export async function runToResult<T>(program: string, args: readonly string[], watch?: Watch): Promise<T> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: LIMIT_MS, killSignal: 'SIGKILL' });
  // Ctrl-C ends this process; what it started must not go on.
  const end = (): void => void child.kill('SIGKILL');
  process.once('exit', end);
  const unwatch = watch?.(child);
  try {
    return await resultOf<T>(child, program);
  } finally {
    process.off('exit', end);
    unwatch?.();
  }
}

function resultOf<T>(child: ReturnType<typeof spawn>, program: string): Promise<T> {
  let result: string | undefined;
  const said: string[] = [];
  const keep = (line: string): void => {
    said.push(line);
    if (said.length > LAST_LINES) said.shift();
  };
  createInterface({ input: child.stderr! }).on('line', keep);
  createInterface({ input: child.stdout! }).on('line', (line) => {
    if (line.startsWith(RESULT_LINE)) result = line.slice(RESULT_LINE.length);
    else keep(line);
  });
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => reject(new RunFailedError(`${program} could not be started: ${cause.message}`, { cause })));
    // `close` comes once both outputs were read to their end.
    child.once('close', (code, signal) => {
      if (code === 0 && result !== undefined) resolve(JSON.parse(result) as T);
      else reject(new RunFailedError(`The run ended with ${signal ?? `exit code ${code}`} and ${result === undefined ? 'no' : 'a'} result. It said:\n${said.join('\n')}`));
    });
  });
}
