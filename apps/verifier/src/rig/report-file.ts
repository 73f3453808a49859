import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '@weir/core';
import { reportMarkdown } from './report-markdown.js';
import type { RunOptions } from './run-options.js';
import type { RunReport } from './run-report.js';

/** The report of a long run on disk. It is written again and again while the run goes on, so one that is cut leaves what was known. */
export class ReportFile {
  #last: { readonly run: RunOptions; readonly report: RunReport } | undefined;

  /** @param file undefined for none */
  constructor(
    private readonly file: string | undefined,
    private readonly clock: Clock,
  ) {}

  /** At once and whole: it may be the last thing that this process does. */
  write(run: RunOptions, report: RunReport): void {
    this.#last = { run, report };
    if (this.file === undefined) return;
    mkdirSync(dirname(this.file), { recursive: true });
    const half = `${this.file}.tmp`;
    writeFileSync(half, reportMarkdown(run, report, new Date(this.clock.wall())));
    renameSync(half, this.file);
  }

  /** The run threw: the report is what was known last, and why. */
  failed(error: unknown): void {
    if (this.#last === undefined) return;
    const why = error instanceof Error ? error.message : String(error);
    this.write(this.#last.run, { ...this.#last.report, ok: false, unfinished: `the rig could not go on: ${why}` });
  }
}
