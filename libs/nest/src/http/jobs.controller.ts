import { All, Get, Header, Inject, NotFoundException, Param, Req, UseFilters, UseGuards } from '@nestjs/common';
import type { JobOverview } from '@weir/core';
import { JobStatusFeed } from '../job-status-feed.js';
import type { CompiledStreamOptions } from '../options.js';
import { StreamRunner } from '../stream-runner.js';
import { STREAM_OPTIONS } from '../tokens.js';
import { FlinkErrorsFilter } from './flink-errors.filter.js';
import { flinkCheckpoint, flinkCheckpoints, flinkSubtasks } from './flink-checkpoints.js';
import { flinkJob, flinkJobDetail } from './flink-jobs.js';
import type { FlinkJob } from './flink-jobs.js';
import { ReadingGuard } from './reading.guard.js';

type Json = Readonly<Record<string, unknown>>;

interface Request {
  readonly method: string;
  readonly url: string;
}

/**
 * As deep as Flink's API goes (checkpoints/details/:id/subtasks/:vertex). Written out, because Express and Fastify agree on parameters
 * but not on wildcards; for the same reason one handler takes all methods of `:jid`, where Fastify refuses an overlap.
 */
const REST_OF_FLINK = ['', ':jid/:a', ':jid/:a/:b', ':jid/:a/:b/:c', ':jid/:a/:b/:c/:d', ':jid/:a/:b/:c/:d/:e'];

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

  @All(':jid')
  @Header('Cache-Control', 'no-store')
  detail(@Param('jid') jid: string, @Req() request: Request): Readonly<Record<string, unknown>> {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw notOffered(request);
    const job = this.#job(jid);
    return flinkJobDetail(job, this.#feed.reached(job.name), this.#wall());
  }

  @Get(':jid/checkpoints')
  @Header('Cache-Control', 'no-store')
  checkpoints(@Param('jid') jid: string): Json {
    return flinkCheckpoints(this.#job(jid));
  }

  @Get(':jid/checkpoints/details/:checkpoint')
  @Header('Cache-Control', 'no-store')
  checkpoint(@Param('jid') jid: string, @Param('checkpoint') checkpoint: string): Json {
    return flinkCheckpoint(this.#job(jid), checkpoint) ?? noCheckpoint(checkpoint);
  }

  @Get(':jid/checkpoints/details/:checkpoint/subtasks/:vertex')
  @Header('Cache-Control', 'no-store')
  subtasks(@Param('jid') jid: string, @Param('checkpoint') checkpoint: string, @Param('vertex') vertex: string): Json {
    return flinkSubtasks(this.#job(jid), checkpoint, vertex) ?? noCheckpoint(`${checkpoint} of vertex ${vertex}`);
  }

  #job(jid: string): JobOverview {
    const job = this.#runner.overviews().find((one) => one.id === jid.toLowerCase());
    if (job === undefined) throw new NotFoundException(`Job ${jid} not found.`);
    return job;
  }

  @All(REST_OF_FLINK)
  unknown(@Req() request: Request): never {
    throw notOffered(request);
  }
}

function noCheckpoint(what: string): never {
  throw new NotFoundException(`Checkpoint ${what} not found: the last 10 are remembered.`);
}

function notOffered({ method, url }: Request): NotFoundException {
  return new NotFoundException(`Not found: ${method} ${url.split('?')[0]}. Weir does not offer this part of Flink's REST API.`);
}
