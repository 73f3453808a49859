import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import type { MeasuredSpan } from './run-meter.js';
import type { RunSpec } from './run-spec.js';

/** Microseconds between two samples. */
const SAMPLING_US = 200;

/** Node's CPU profiler over the measured span alone: what `--cpu-prof` writes, without start and end of the process. */
class CpuProfiler implements MeasuredSpan {
  readonly #session = new Session();

  constructor(private readonly file: string) {
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.setSamplingInterval', { interval: SAMPLING_US });
  }

  begin(): void {
    this.#session.post('Profiler.start');
  }

  /** Writes the profile: a `.cpuprofile` that the developer tools of browsers and editors open. */
  end(): void {
    this.#session.post('Profiler.stop', (problem, result) => {
      if (problem !== null) throw problem;
      writeFileSync(this.file, JSON.stringify(result.profile));
    });
  }
}

/** The profiler that a run asked for, if it did. */
export const profilerOf = ({ profile }: RunSpec): MeasuredSpan | undefined => (profile === undefined ? undefined : new CpuProfiler(profile));
