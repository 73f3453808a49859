import { createServer } from 'node:http';
import { describe, expect, it } from '@jest/globals';
import { listeningUrl } from './listening-url.js';

const at = (address: string, port = 8081) => ({ address: () => ({ address, port }) });
const host = (): string => 'weir-0';

describe('where a server is reached', () => {
  it('is the address that it listens on, known once it listens', async () => {
    const server = createServer();
    expect(listeningUrl(server, false)).toBeUndefined();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    expect(listeningUrl(server, false)).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('is the name of the host where it listens on every address', () => {
    expect([listeningUrl(at('0.0.0.0'), false, host), listeningUrl(at('::'), true, host)]).toEqual(['http://weir-0:8081', 'https://weir-0:8081']);
  });

  it('has brackets around an address of IPv6', () => {
    expect(listeningUrl(at('::1', 80), false)).toBe('http://[::1]:80');
  });

  it('is nowhere on a Unix socket, and without a server', () => {
    expect([listeningUrl({ address: () => '/run/weir' }, false), listeningUrl(undefined, false)]).toEqual([undefined, undefined]);
  });
});
