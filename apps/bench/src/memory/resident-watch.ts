import { readFileSync } from 'node:fs';
import { megabytes } from '../report/table.js';
import type { Watch } from '../run/child-process.js';

/** Milliseconds between two looks at a process. */
const LOOK_MS = 100;
const KILOBYTE = 1_024;

/** A process took more memory than it was allowed. */
export class MemoryExceededError extends Error {
  override readonly name = 'MemoryExceededError';
}

/** The most bytes that a process had resident so far, by what Linux tells of it in /proc; undefined where nobody tells, or it has ended. */
export function peakResidentBytes(pid: number): number | undefined {
  try {
    const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
    return found === null ? undefined : Number(found[1]) * KILOBYTE;
  } catch {
    return undefined;
  }
}

export const canWatch = (): boolean => peakResidentBytes(process.pid) !== undefined;

/** Kills a process that has had too much resident, as the limit of a container does; once. */
export class ResidentLimit {
  #exceeded: number | undefined;

  constructor(
    private readonly limitBytes: number,
    private readonly peakBytes: () => number | undefined,
    private readonly kill: () => void,
  ) {}

  look(): void {
    const peak = this.peakBytes();
    if (this.#exceeded !== undefined || peak === undefined || peak <= this.limitBytes) return;
    this.#exceeded = peak;
    this.kill();
  }

  /** @throws MemoryExceededError if the process was killed */
  assertKept(): void {
    if (this.#exceeded === undefined) return;
    throw new MemoryExceededError(`A run had ${megabytes(this.#exceeded)} MB resident, ${megabytes(this.limitBytes)} MB were allowed, and it was killed.`);
  }
}

/** Watches a run while it lasts. */
export const limitResident =
  (limitBytes: number): Watch =>
  (child) => {
    const limit = new ResidentLimit(limitBytes, () => (child.pid === undefined ? undefined : peakResidentBytes(child.pid)), () => void child.kill('SIGKILL'));
    const timer = setInterval(() => limit.look(), LOOK_MS);
    return () => {
      clearInterval(timer);
      limit.assertKept();
    };
  };
