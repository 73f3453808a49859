import { type Clock, sleep } from '@weir/core';
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
  /** Called after each. */
  readonly struck: { readonly replica: () => void; readonly broker: () => void; readonly proxy: () => void };
}

const REPLICAS = 3;
const SESSION_MS = 3_000;
/** Three replicas, each struck about every five and a half seconds: some thirty blows a minute. */
const LONGEST_MS = 8_000;
const POLL_MS = 100;
/** Findings after which more of them would teach nothing. */
const MOST_FINDINGS = 20;

export class Siege implements Attack {
  readonly #budget: BlowBudget;
  readonly #companions: readonly Companion[];
  readonly #brokers: BrokerStriker;
  readonly #network: ProxyStriker;

  constructor(private readonly options: SiegeOptions) {
    const { cluster, proxies, kills, brokerRestarts, proxyFaults, seed, clock, violations, lagging, struck, env, entry, folder } = options;
    this.#budget = new BlowBudget(kills);
    const shared = { ...env, KAFKA_BROKERS: cluster.proxiedBrokers, REPLICAS: 'shared', SESSION_TIMEOUT_MS: String(SESSION_MS) };
    this.#companions = Array.from({ length: REPLICAS }, (_, i) => {
      const own = { name: `replica-${i + 1}`, seed: seed + i, sessionMs: SESSION_MS, longestMs: LONGEST_MS, budget: this.#budget };
      return new Companion({ ...own, entry, env: shared, folder, clock, violations, struck: struck.replica });
    });
    this.#brokers = new BrokerStriker({ nodes: cluster.nodes, restarts: brokerRestarts, seed, clock, violations, lagging, struck: struck.broker });
    this.#network = new ProxyStriker({ proxies, faults: proxyFaults, seed, clock, struck: struck.proxy });
  }

  get givenUp(): boolean {
    return this.options.violations.total >= MOST_FINDINGS;
  }

  get figures(): AttackFigures {
    const companions = this.#companions;
    const sum = (of: (companion: Companion) => number): number => companions.reduce((total, companion) => total + of(companion), 0);
    const kinds = (['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const).map((kind) => [`${kind} of a replica`, sum(({ blows }) => blows[kind])] as const);
    const brokers = Object.entries(this.#brokers.blows).map(([kind, count]) => [`${kind} of a broker`, count] as const);
    const network = Object.entries(this.#network.faults).map(([kind, count]) => [`network: ${kind}`, count] as const);
    return {
      blows: kinds.reduce((total, [, count]) => total + count, 0),
      lives: sum(({ lives }) => lives),
      startsMs: companions.flatMap(({ startsMs }) => startsMs),
      faults: Object.fromEntries([...kinds, ...brokers, ...network, ['connections cut', this.#network.connectionsCut]]),
      restores: { count: sum(({ restores }) => restores.count), records: sum(({ restores }) => restores.records) },
    };
  }

  async strikeAll(enough: () => boolean): Promise<void> {
    await this.keepAlive();
    let done = false;
    const strikers = Promise.all([this.#brokers.run(), this.#network.run()]).finally(() => (done = true));
    strikers.catch(() => undefined); // awaited below
    while (!(done && this.#budget.left === 0) && !enough() && !this.givenUp) await sleep(this.options.clock, POLL_MS);
    this.#end();
    await strikers;
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
