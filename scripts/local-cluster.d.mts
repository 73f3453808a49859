/**
 * A cluster of three local brokers, each of which can be struck by itself. Types of `local-cluster.mjs`; the design stands there.
 */
export interface LocalCluster {
  /** `host:port` of all nodes, with commas. */
  readonly brokers: string;
  /** The same for clients that go through a proxy: its ports, on which nothing listens unless the caller does. */
  readonly proxiedBrokers: string;
  readonly nodes: readonly LocalNode[];
  /** Ends all nodes and removes their data. May be called again. */
  stop(): Promise<void>;
}

export interface LocalNode {
  readonly id: number;
  /** `host:port`, the same for as long as the cluster lives. */
  readonly address: string;
  /** Ports of 127.0.0.1: a proxy listens on `advertised`, and passes on to `listen`. */
  readonly proxied: { readonly listen: number; readonly advertised: number };
  /** Starts a node that is down, with its data, and waits until it answers. */
  start(): Promise<void>;
  /** Ends it in order (SIGTERM): it hands its partitions over first. */
  shutDown(): Promise<void>;
  /** Ends it at once (SIGKILL). */
  kill(): Promise<void>;
  /** Freezes it (SIGSTOP): sockets stay open, nothing answers. */
  pause(): Promise<void>;
  /** Lets a paused one go on (SIGCONT). */
  resume(): Promise<void>;
}

export interface StartClusterOptions {
  /** Progress, one short line at a time. Silent if left out. */
  readonly log?: (line: string) => void;
  /** Instead of `process.env`. KAFKA_BROKERS is not looked at: brokers that are struck are one's own. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** @throws Error that says what is missing, or why a node did not start */
export function startCluster(options?: StartClusterOptions): Promise<LocalCluster>;
