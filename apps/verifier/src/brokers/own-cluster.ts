import { importFromRoot } from '../witness/project-root.js';

/** What is used of scripts/local-cluster.mjs and scripts/local-broker.mjs; the contracts stand there. */
export interface ClusterNode {
  readonly id: number;
  /** Ports of 127.0.0.1: a proxy listens on `advertised`, and passes on to `listen`. */
  readonly proxied: { readonly listen: number; readonly advertised: number };
  start(): Promise<void>;
  shutDown(): Promise<void>;
  kill(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
}

export interface OwnCluster {
  readonly brokers: string;
  /** For clients that are to go through a proxy. */
  readonly proxiedBrokers: string;
  readonly nodes: readonly ClusterNode[];
  stop(): Promise<void>;
}

export interface OneBroker {
  readonly brokers: string;
  stop(): Promise<void>;
}

const log = (line: string): void => console.error(line);

/** Brokers are struck by the process that started them: this one. @throws Error that says what is missing */
export async function startOwnCluster(): Promise<OwnCluster> {
  const scripts = await importFromRoot<{ readonly startCluster: (options: { readonly log: typeof log }) => Promise<OwnCluster> }>('scripts/local-cluster.mjs');
  return scripts.startCluster({ log });
}

/** The one at KAFKA_BROKERS, or one of our own. @throws Error that says what is missing */
export async function startOneBroker(): Promise<OneBroker> {
  const scripts = await importFromRoot<{ readonly startBroker: (options: { readonly log: typeof log }) => Promise<OneBroker> }>('scripts/local-broker.mjs');
  return scripts.startBroker({ log });
}
