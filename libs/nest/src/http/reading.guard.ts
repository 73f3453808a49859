import { ForbiddenException, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import type { CompiledStreamOptions } from '../options.js';
import { STREAM_OPTIONS } from '../tokens.js';
import { accessOf, requesterOf } from './remote-access.js';

/** Lets those read who may, see remote-access.ts, and tells the others what they would need. */
@Injectable()
export class ReadingGuard implements CanActivate {
  readonly #token: string | undefined;

  constructor(@Inject(STREAM_OPTIONS) options: CompiledStreamOptions) {
    this.#token = options.http?.token;
  }

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Parameters<typeof requesterOf>[0]>();
    switch (accessOf(requesterOf(request), this.#token)) {
      case 'granted':
        return true;
      case 'loopback-only':
        throw new ForbiddenException(
          'Jobs are shown on loopback alone, because no token is configured. Set http.token of StreamModule to read them from elsewhere.',
        );
      case 'token-missing':
        throw new UnauthorizedException(
          'Beyond loopback, jobs are shown to bearers of the token alone: send the header "Authorization: Bearer <token>".',
        );
      case 'token-wrong':
        throw new UnauthorizedException('The bearer token is not the one that http.token of StreamModule configures.');
    }
  }
}
