import { type Clock, sleep } from '@weir/core';
import { SeededRandom } from '@weir/testing';
import { BrokerStriker } from '../brokers/broker-striker.js';
import type { OwnCluster } from '../brokers/own-cluster.js';
import type { Violations } from '../judge/violation.js';
import { BlowBudget } from '../killer/blow-budget.js';
import { Companion } from '../killer/companion.js';
import type { FaultyProxy } from '../proxy/faulty-proxy.js';
import { ProxyStriker } from '../proxy/proxy-striker.js';
import type { Attack, AttackFigures } from './attack.js';

/**
 * Three replicas, three brokers and the network between them, all struck at once and by themselves: each replica by a loop of its own
 * (killer/companion.ts) until the blows are used up, one broker at a time (brokers/broker-striker.ts), and the proxies through which the
 * replicas reach the brokers (proxy/). Faults of different places overlap as they happen to; of brokers one at a time only.
 *
 * Blows at replicas come in bursts, and between two of them is a calm:
 *
 *   BURST --all of its blows are struck--> CALM --every replica is RUNNING, and readers saw something new--> BURST
 *                                          CALM --a while has passed--> BURST
 *
 * Without calms a group of which one or the other has just died is balanced anew all the time, and hardly ever works: there would be
 * nothing to lose. In a burst blows come so fast that they hit starts, restores and rebalances.
 */
export interface SiegeOptions {
  readonly cluster: OwnCluster;
  /** One before each broker of the cluster. */
  readonly proxies: readonly FaultyProxy[];
  readonly kills: number;
  readonly brokerRestarts: number;
  readonly proxyFaults: number;
  readonly seed: number;
  readonly entry: string;
  readonly env: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly clock: Clock;
  readonly violations: Violations;
  readonly lagging: () => Promise<number>;
  /** Records of the outputs that readers have seen. */
  readonly seen: () => number;
  /** Called after each. */
  readonly struck: { readonly replica: () => void; readonly broker: () => void; readonly proxy: () => void };
}

const REPLICAS = 3;
const SESSION_MS = 2_000;
/** Milliseconds between two blows at a replica in a burst, at most. */
const LONGEST_MS = 3_000;
/** Part of the SIGKILLs after which a disk is no longer what it was. */
const SPOILS = 0.1;
const BURST = { least: 3, most: 8 };
const CALM_LIMIT_MS = 30_000;
/** Milliseconds that a calm goes on once all is well, at most. */
const LONGEST_REST_MS = 1_500;
const POLL_MS = 100;
/** Findings after which more of them would teach nothing. */
const MOST_FINDINGS = 20;

export class Siege implements Attack {
  readonly #budget: BlowBudget;
  readonly #random: SeededRandom;
  readonly #companions: readonly Companion[];
  readonly #brokers: BrokerStriker;
  readonly #network: ProxyStriker;
  #bursts = 0;
  /** Calms in which not all became well in time. */
  #restless = 0;

  constructor(private readonly options: SiegeOptions) {
    const { cluster, proxies, kills, brokerRestarts, proxyFaults, seed, clock, violations, lagging, struck, env, entry, folder } = options;
    this.#budget = new BlowBudget(kills, 0);
    this.#random = new SeededRandom(seed).fork(17);
    const shared = { ...env, KAFKA_BROKERS: cluster.proxiedBrokers, REPLICAS: 'shared', SESSION_TIMEOUT_MS: String(SESSION_MS) };
    this.#companions = Array.from({ length: REPLICAS }, (_, i) => {
      const own = { name: `replica-${i + 1}`, seed: seed + i, sessionMs: SESSION_MS, longestMs: LONGEST_MS, budget: this.#budget };
      return new Companion({ ...own, entry, env: shared, folder, clock, violations, spoils: SPOILS, struck: struck.replica });
    });
    // Brokers and network are struck as far into their share as the replicas are into theirs.
    const isDue = (done: () => number, total: number) => (): boolean => this.#budget.left === 0 || done() / total <= 1 - this.#budget.left / kills;
    const others = { seed, clock };
    this.#brokers = new BrokerStriker({
      ...others,
      nodes: cluster.nodes,
      restarts: brokerRestarts,
      isDue: isDue(() => this.#brokers.restarts, brokerRestarts),
      violations,
      lagging,
      struck: struck.broker,
    });
    this.#network = new ProxyStriker({ ...others, proxies, faults: proxyFaults, isDue: isDue(() => this.#network.total, proxyFaults), struck: struck.proxy });
  }

  get givenUp(): boolean {
    return this.options.violations.total >= MOST_FINDINGS;
  }

  get figures(): AttackFigures {
    const companions = this.#companions;
    const sum = (of: (companion: Companion) => number): number => companions.reduce((total, companion) => total + of(companion), 0);
    const kinds = (['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const).map((kind) => [`${kind} of a replica`, sum(({ blows }) => blows[kind])] as const);
    const spoiled = (['state deleted', 'state damaged'] as const).map((what) => [`${what} after a SIGKILL`, sum((companion) => companion.spoiled[what])] as const);
    const brokers = Object.entries(this.#brokers.blows).map(([kind, count]) => [`${kind} of a broker`, count] as const);
    const network = Object.entries(this.#network.faults).map(([kind, count]) => [`network: ${kind}`, count] as const);
    return {
      blows: kinds.reduce((total, [, count]) => total + count, 0),
      lives: sum(({ lives }) => lives),
      startsMs: companions.flatMap(({ startsMs }) => startsMs),
      faults: Object.fromEntries([...kinds, ...spoiled, ...brokers, ...network, ['connections cut', this.#network.connectionsCut], ['bursts of blows', this.#bursts], ['bursts after which not all was well in time', this.#restless]]),
      restores: { count: sum(({ restores }) => restores.count), records: sum(({ restores }) => restores.records) },
    };
  }

  async strikeAll(enough: () => boolean): Promise<void> {
    await this.keepAlive();
    const over = (): boolean => enough() || this.givenUp;
    const deadline = this.options.clock.monotonic() + CALM_LIMIT_MS;
    await this.#until(() => this.#areRunning || over() || this.options.clock.monotonic() > deadline);
    let done = false;
    const strikers = Promise.all([this.#brokers.run(), this.#network.run()]).finally(() => (done = true));
    strikers.catch(() => undefined); // awaited below
    while (this.#budget.left > 0 && !over()) await this.#burst(over);
    await this.#until(() => done || over());
    this.#end();
    await strikers;
  }

  async #burst(over: () => boolean): Promise<void> {
    const { clock, seen } = this.options;
    this.#bursts++;
    this.#budget.release(this.#random.between(BURST.least, BURST.most));
    await this.#until(() => !this.#budget.isOpen || over());
    const deadline = clock.monotonic() + CALM_LIMIT_MS;
    const late = (): boolean => over() || clock.monotonic() > deadline;
    await this.#until(() => this.#areRunning || late());
    const before = seen();
    await this.#until(() => seen() > before || late());
    if (late()) this.#restless++;
    await sleep(clock, this.#random.between(0, LONGEST_REST_MS));
  }

  get #areRunning(): boolean {
    return this.#companions.every(({ isRunning }) => isRunning);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) await sleep(this.options.clock, POLL_MS);
  }

  keepAlive(): Promise<void> {
    for (const companion of this.#companions) companion.start(); // each keeps itself alive from then on
    return Promise.resolve();
  }

  async finish(): Promise<void> {
    await Promise.all(this.#companions.map((companion) => companion.finish()));
  }

  async close(): Promise<void> {
    this.#end();
    await Promise.all(this.#companions.map((companion) => companion.close()));
  }

  #end(): void {
    this.#brokers.end();
    this.#network.end();
  }
}
