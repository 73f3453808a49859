import { Catch, HttpException } from '@nestjs/common';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { causeChain } from '../error-text.js';

/**
 * Errors in Flink's shape, `{"errors":["..."]}`, and nothing else. Flink's clients take any other body for success, whatever the HTTP
 * status: Nest's own error body would let `flink cancel` report a cancelled job.
 */
@Catch()
export class FlinkErrorsFilter implements ExceptionFilter {
  readonly #adapters: HttpAdapterHost;

  constructor(adapters: HttpAdapterHost) {
    this.#adapters = adapters;
  }

  catch(thrown: unknown, host: ArgumentsHost): void {
    const response: unknown = host.switchToHttp().getResponse();
    const { httpAdapter } = this.#adapters;
    const status = thrown instanceof HttpException ? thrown.getStatus() : 500;
    if (status === 401) httpAdapter.setHeader(response, 'WWW-Authenticate', 'Bearer');
    const message = thrown instanceof HttpException ? thrown.message : `Internal server error: ${causeChain(thrown)}`;
    httpAdapter.reply(response, { errors: [message] }, status);
  }
}
