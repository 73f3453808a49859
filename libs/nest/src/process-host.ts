/** The process, as far as the adapter touches it; specs give another one. */
export interface ProcessHost {
  /** Sets the exit code for whenever the process ends, unless it ends with another one that is not 0. */
  failWith(code: number): void;
  /** Ends the process. */
  exit(code: number): void;
  /** Ends the process with the exit code set so far, 0 by default, once Nest is done with its shutdown by `signal`. */
  exitAfterShutdown(signal: string): void;
}

/** What is needed of Node's `process`. */
export interface NodeProcess {
  exitCode?: number | string | null | undefined;
  exit(code?: number): void;
  on(event: string, listener: (value: number) => void): unknown;
  listenerCount(event: string): number;
}

export class NodeProcessHost implements ProcessHost {
  readonly #process: NodeProcess;
  readonly #signals = new Set<string>();
  #failing: number | undefined;

  constructor(process: NodeProcess) {
    this.#process = process;
  }

  failWith(code: number): void {
    this.#process.exitCode = code;
    if (this.#failing !== undefined) return;
    this.#failing = code;
    // Someone who ends the process by exit(0), as Nest does with `useProcessExit`, does not know that a job has failed.
    this.#process.on('exit', (exitCode: number) => {
      if (exitCode === 0) this.#process.exitCode = code;
    });
  }

  exit(code: number): void {
    this.#process.exit(code);
  }

  /**
   * Nest ends a shutdown by removing its listeners and raising the signal again, of which a process without listeners dies: exit code
   * 143 for SIGTERM, though everything was closed in order. This listener takes that second signal. While others still listen, Nest
   * among them, the signal is not that one, but an impatient sender's: it must not cut off shutdown hooks that still run.
   */
  exitAfterShutdown(signal: string): void {
    if (this.#signals.has(signal)) return;
    this.#signals.add(signal);
    this.#process.on(signal, () => {
      if (this.#process.listenerCount(signal) === 1) this.#process.exit();
    });
  }
}
