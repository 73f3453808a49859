import { Get, Header, Inject, Req, ServiceUnavailableException, UseFilters } from '@nestjs/common';
import type { CompiledStreamOptions } from '../options.js';
import { StreamRunner } from '../stream-runner.js';
import { STREAM_OPTIONS } from '../tokens.js';
import { HealthFilter } from './health.filter.js';
import { codesOnly, liveness, readiness } from './health.js';
import type { Health } from './health.js';
import { accessOf, requesterOf } from './remote-access.js';

type Request = Parameters<typeof requesterOf>[0];

/**
 * Probes for orchestrators: open to all, for a kubelet is not on loopback and has no token. What they tell beyond loopback are names,
 * statuses and error codes, not texts.
 */
@UseFilters(HealthFilter)
export class HealthRoutes {
  readonly #runner: StreamRunner;
  readonly #token: string | undefined;

  constructor(runner: StreamRunner, @Inject(STREAM_OPTIONS) options: CompiledStreamOptions) {
    this.#runner = runner;
    this.#token = options.http?.token;
  }

  @Get('live')
  @Header('Cache-Control', 'no-store')
  live(@Req() request: Request): Health['body'] {
    return answer(liveness(this.#runner.jobs, this.#rewriteFor(request)));
  }

  @Get('ready')
  @Header('Cache-Control', 'no-store')
  ready(@Req() request: Request): Health['body'] {
    return answer(readiness(this.#runner.jobs, this.#rewriteFor(request)));
  }

  #rewriteFor(request: Request): (reason: string) => string {
    const mayRead = accessOf(requesterOf(request), this.#token) === 'granted';
    return mayRead ? (reason) => reason : codesOnly;
  }
}

function answer({ ok, body }: Health): Health['body'] {
  if (!ok) throw new ServiceUnavailableException(body);
  return body;
}
