import { createHash, timingSafeEqual } from 'node:crypto';

/**
 * Who may read. A request from loopback may; every other needs the token.
 *
 * Where a request comes from is what its socket says. Headers such as X-Forwarded-For are claims of the sender and never make a request
 * local. They can take that away: a request that arrives over loopback and says that it was forwarded came through a proxy beside the
 * process, which passes on whoever it serves.
 */
export interface Requester {
  readonly remoteAddress: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

export type Access = 'granted' | 'token-missing' | 'token-wrong' | 'loopback-only';

const FORWARDING_HEADERS = ['forwarded', 'x-forwarded-for', 'x-real-ip'] as const;
const BEARER = /^Bearer +([^ ]+) *$/i;

/** @param token undefined where none is configured: then only loopback reads */
export function accessOf(requester: Requester, token: string | undefined): Access {
  const forwarded = FORWARDING_HEADERS.some((name) => requester.headers[name] !== undefined);
  if (isLoopback(requester.remoteAddress) && !forwarded) return 'granted';
  if (token === undefined) return 'loopback-only';
  const { authorization } = requester.headers;
  if (typeof authorization !== 'string') return 'token-missing';
  const given = BEARER.exec(authorization)?.[1];
  return given !== undefined && sameToken(given, token) ? 'granted' : 'token-wrong';
}

/** 127.0.0.0/8 and ::1, also as IPv4-mapped IPv6. An unknown address, such as that of a Unix socket or a closed one, is not. */
export function isLoopback(address: string | undefined): boolean {
  if (address === undefined) return false;
  const plain = address.toLowerCase().replace(/^::ffff:/, '');
  return plain === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(plain);
}

/** In constant time: digests have one length, whatever the length of what was given. */
function sameToken(given: string, expected: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();
  return timingSafeEqual(digest(given), digest(expected));
}

interface HttpRequest {
  readonly headers: Requester['headers'];
  readonly socket?: { readonly remoteAddress?: string | undefined } | undefined;
}

/** The requester of a request of Express or Fastify: both have the socket and the headers of Node's request. */
export const requesterOf = (request: HttpRequest): Requester => ({
  remoteAddress: request.socket?.remoteAddress,
  headers: request.headers,
});
