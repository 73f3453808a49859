import { All, Get, Header, Inject, NotFoundException, Param, Req, UseFilters, UseGuards } from '@nestjs/common';
import { JobStatusFeed } from '../job-status-feed.js';
import type { CompiledStreamOptions } from '../options.js';
import { StreamRunner } from '../stream-runner.js';
import { STREAM_OPTIONS } from '../tokens.js';
import { FlinkErrorsFilter } from './flink-errors.filter.js';
import { flinkJob, flinkJobDetail } from './flink-jobs.js';
import type { FlinkJob } from './flink-jobs.js';
import { ReadingGuard } from './reading.guard.js';

/** Jobs under the paths of Flink's REST API. Whatever of it is not built is refused in Flink's shape, so that its clients see an error. */
@UseGuards(ReadingGuard)
@UseFilters(FlinkErrorsFilter)
export class JobsRoutes {
  readonly #runner: StreamRunner;
  readonly #feed: JobStatusFeed;
  readonly #wall: () => number;

  constructor(runner: StreamRunner, feed: JobStatusFeed, @Inject(STREAM_OPTIONS) options: CompiledStreamOptions) {
    this.#runner = runner;
    this.#feed = feed;
    this.#wall = () => options.clock.wall();
  }

  @Get('overview')
  @Header('Cache-Control', 'no-store')
  overview(): { jobs: readonly FlinkJob[] } {
    const now = this.#wall();
    return { jobs: this.#runner.overviews().map((job) => flinkJob(job, now)) };
  }

  @Get(':jid')
  @Header('Cache-Control', 'no-store')
  detail(@Param('jid') jid: string): Readonly<Record<string, unknown>> {
    const job = this.#runner.overviews().find((one) => one.id === jid.toLowerCase());
    if (job === undefined) throw new NotFoundException(`Job ${jid} not found.`);
    return flinkJobDetail(job, this.#feed.reached(job.name), this.#wall());
  }

  @All(['', '*rest'])
  unknown(@Req() request: { readonly method: string; readonly url: string }): never {
    throw new NotFoundException(
      `Not found: ${request.method} ${request.url.split('?')[0]}. Weir does not offer this part of Flink's REST API.`,
    );
  }
}
