import { Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';

/** Answers with the exception's own body, so that a filter of the application cannot turn a probe's answer into something else. */
@Catch(HttpException)
export class HealthFilter implements ExceptionFilter<HttpException> {
  readonly #adapters: HttpAdapterHost;

  constructor(adapters: HttpAdapterHost) {
    this.#adapters = adapters;
  }

  catch(thrown: HttpException, host: ArgumentsHost): void {
    this.#adapters.httpAdapter.reply(host.switchToHttp().getResponse(), thrown.getResponse(), thrown.getStatus());
  }
}
