import { createWriteStream, type WriteStream } from 'node:fs';
import { type Clock, type JobOverview, sleep } from '@weir/core';
import { LineProcess, type ProcessEnd } from '../witness/line-process.js';

export interface ServiceOptions {
  /** The program, e.g. dist/apps/temperature-alerts/main.js. */
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  /** Where its output is kept. */
  readonly logFile: string;
  readonly clock: Clock;
}

/** Environment that the service gets besides its settings. */
const PASSED_ON = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'SystemRoot'] as const;
const POLL_MS = 25;
const HTTP_LIMIT_MS = 2_000;
const REBUILD_LINE = 'rebuilds its local state';

/** One life of the service. */
export class ServiceProcess {
  readonly #process: LineProcess;
  readonly #log: WriteStream;
  readonly #tail: string[] = [];
  readonly startedAt: number;
  /** Log lines that say that a store was given up. */
  readonly rebuilds: string[] = [];
  #port: number | undefined;
  #initializing = false;

  constructor(private readonly options: ServiceOptions) {
    this.#log = createWriteStream(options.logFile);
    const passed = Object.fromEntries(PASSED_ON.map((name) => [name, process.env[name]]));
    const onLine = (line: string): void => this.#onLine(line);
    this.startedAt = options.clock.monotonic();
    this.#process = new LineProcess({
      command: [process.execPath, options.entry],
      env: { ...passed, NO_COLOR: '1', ...options.env },
      onLine,
      onErrorLine: onLine,
    });
    void this.#process.ended.then(() => this.#log.end());
  }

  /** How it ended; undefined while it lives. */
  get end(): ProcessEnd | undefined {
    return this.#process.end;
  }

  get ended(): Promise<ProcessEnd> {
    return this.#process.ended;
  }

  /** The last lines of its log. */
  get lastLines(): string {
    return this.#tail.join('\n');
  }

  get logFile(): string {
    return this.options.logFile;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal);
  }

  kill(): Promise<ProcessEnd> {
    return this.#process.kill();
  }

  /** Resolves once its job initialises, or it ended; false if neither came in time. */
  untilInitializing(limitMs: number): Promise<boolean> {
    return this.#until(limitMs, POLL_MS, () => Promise.resolve(this.#initializing));
  }

  /** Its job once that is RUNNING, every task restored; undefined if it ended before, or did not come so far in time. */
  async untilRunning(limitMs: number, pollMs = POLL_MS): Promise<JobOverview | undefined> {
    let found: JobOverview | undefined;
    await this.#until(limitMs, pollMs, async () => {
      const job = await this.overview();
      if (job?.status === 'RUNNING' && job.tasks.every(({ restore }) => restore?.remaining === 0)) found = job;
      return found !== undefined;
    });
    return found;
  }

  /** Its job as it says over HTTP; undefined if it does not answer. */
  async overview(): Promise<JobOverview | undefined> {
    if (this.#port === undefined || this.end !== undefined) return undefined;
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/jobs/overview`, { signal: AbortSignal.timeout(HTTP_LIMIT_MS) });
      const { jobs } = (await response.json()) as { readonly jobs?: readonly { readonly weir?: JobOverview }[] };
      return jobs?.[0]?.weir;
    } catch {
      return undefined;
    }
  }

  async #until(limitMs: number, pollMs: number, holds: () => Promise<boolean>): Promise<boolean> {
    const { clock } = this.options;
    const deadline = clock.monotonic() + limitMs;
    while (this.end === undefined && clock.monotonic() < deadline) {
      if (await holds()) return true;
      await sleep(clock, pollMs);
    }
    return this.end !== undefined;
  }

  #onLine(line: string): void {
    this.#log.write(`${line}\n`);
    this.#tail.push(line);
    if (this.#tail.length > 12) this.#tail.shift();
    const port = /HTTP on http:\/\/[^\s:]+:(\d+)/.exec(line);
    if (port !== null) this.#port = Number(port[1]);
    if (line.includes('INITIALIZING')) this.#initializing = true;
    if (line.includes(REBUILD_LINE)) this.rebuilds.push(line);
  }
}
