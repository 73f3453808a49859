import { hostname } from 'node:os';

/** What is needed of Node's HTTP server: Express and Fastify have one of both kinds. */
export interface ListeningServer {
  address(): { readonly address: string; readonly port: number } | string | null;
}

/**
 * Where others reach a server, by what it listens on: undefined before it listens, and on a Unix socket. A server that listens on every
 * address is named by the host, which in a container is what its network knows it by, as a rule.
 * @param isSecure whether it speaks HTTPS
 */
export function listeningUrl(server: ListeningServer | undefined, isSecure: boolean, host: () => string = hostname): string | undefined {
  const at = server?.address();
  if (at === undefined || at === null || typeof at === 'string') return undefined;
  const isEverywhere = at.address === '0.0.0.0' || at.address === '::';
  const name = isEverywhere ? host() : at.address.includes(':') ? `[${at.address}]` : at.address;
  return `http${isSecure ? 's' : ''}://${name}:${at.port}`;
}
