/**
 * One broker for the demo, the tests and the benchmarks. Types of `local-broker.mjs`; the design stands there.
 */
export interface LocalBroker {
  /** `host:port`, or several with commas: what clients take as bootstrap servers. The same for as long as the broker lives. */
  readonly brokers: string;
  /** Where it came from. A `given` broker (KAFKA_BROKERS) is not ours: `stop` leaves it alone, the other acts throw. */
  readonly way: 'given' | 'java' | 'docker';
  /**
   * Shuts the broker down in order, starts it again with the same data on the same port, and waits until it answers.
   * Ends a pause, and brings a killed broker back.
   */
  restart(): Promise<void>;
  /** Ends the broker at once (SIGKILL). Data and port stay for `restart`. */
  kill(): Promise<void>;
  /** Freezes the broker (SIGSTOP): sockets stay open, nothing answers. */
  pause(): Promise<void>;
  /** Lets a paused broker go on (SIGCONT). */
  resume(): Promise<void>;
  /** Ends the broker and removes its data. May be called again. */
  stop(): Promise<void>;
}

export interface StartBrokerOptions {
  /** Progress, one short line at a time. Silent if left out. */
  readonly log?: (line: string) => void;
  /** A broker that the caller may kill and restart: KAFKA_BROKERS is not looked at. */
  readonly own?: boolean;
  /** Instead of `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** None of the three ways led to a broker; the message says for each what was missing. */
export class NoBrokerError extends Error {}

/**
 * @throws NoBrokerError when there is no way to a broker on this machine.
 * @throws Error when KAFKA_BROKERS is set, and nothing there answers as Kafka does.
 */
export function startBroker(options?: StartBrokerOptions): Promise<LocalBroker>;
