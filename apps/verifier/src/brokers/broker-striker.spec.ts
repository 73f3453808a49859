import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { Violations } from '../judge/violation.js';
import { BrokerStriker } from './broker-striker.js';
import type { ClusterNode } from './own-cluster.js';

/** A cluster that is whole again a while after each blow, and notes what was done to whom. */
class FakeCluster {
  readonly acts: string[] = [];
  readonly nodes: readonly ClusterNode[];
  /** Questions until the cluster is whole again. */
  behind = 0;
  readonly down = new Set<number>();
  /** Nodes that were gone at once, at most. */
  mostDown = 0;
  startsFail = false;

  constructor(private readonly recovery = 3) {
    this.nodes = [1, 2, 3].map((id) => ({
      id,
      proxied: { listen: 0, advertised: 0 },
      start: () => (this.startsFail ? Promise.reject(new Error('the broker ended while it started')) : this.#up(id, 'start')),
      shutDown: () => this.#down(id, 'shutDown'),
      kill: () => this.#down(id, 'kill'),
      pause: () => this.#down(id, 'pause'),
      resume: () => this.#up(id, 'resume'),
    }));
  }

  lagging = (): Promise<number> => Promise.resolve(this.down.size > 0 ? 8 : this.behind > 0 ? this.behind-- : 0);

  #down(id: number, act: string): Promise<void> {
    if (this.behind > 0) throw new Error(`node ${id} is struck while the cluster is not whole`);
    this.acts.push(`${act} ${id}`);
    this.down.add(id);
    this.mostDown = Math.max(this.mostDown, this.down.size);
    return Promise.resolve();
  }

  #up(id: number, act: string): Promise<void> {
    this.acts.push(`${act} ${id}`);
    this.down.delete(id);
    this.behind = this.recovery;
    return Promise.resolve();
  }
}

async function strike(cluster: FakeCluster, restarts: number, seed = 1, isDue = (): boolean => true): Promise<{ striker: BrokerStriker; violations: Violations; struck: number }> {
  const clock = new ManualClock();
  const violations = new Violations();
  const told = { struck: 0 };
  const striker = new BrokerStriker({ nodes: cluster.nodes, restarts, seed, clock, violations, lagging: cluster.lagging, isDue, struck: () => told.struck++ });
  let done = false;
  const run = striker.run().finally(() => (done = true));
  while (!done) await clock.advance(1_000);
  await run;
  return { striker, violations, struck: told.struck };
}

describe('the striker of brokers', () => {
  it('restarts as often as was asked for, one broker at a time, and only a whole cluster', async () => {
    const cluster = new FakeCluster();
    const { striker, violations, struck } = await strike(cluster, 40);
    expect(violations.samples).toEqual([]);
    expect(striker.restarts).toBe(40);
    expect(struck).toBe(40);
    expect(cluster.mostDown).toBe(1);
    expect(cluster.down.size).toBe(0);
    const { SIGKILL, SIGTERM, SIGSTOP } = striker.blows;
    expect(Math.min(SIGKILL, SIGTERM, SIGSTOP)).toBeGreaterThan(4);
    expect(new Set(cluster.acts).size).toBe(15); // five acts, on every node
  });

  it('does the same for the same seed', async () => {
    const acts: string[][] = [];
    for (const seed of [5, 5, 6]) {
      const cluster = new FakeCluster();
      await strike(cluster, 10, seed);
      acts.push(cluster.acts);
    }
    expect(acts[0]).toEqual(acts[1]);
    expect(acts[0]).not.toEqual(acts[2]);
  });

  it('waits until a restart is due', async () => {
    const cluster = new FakeCluster();
    let asked = 0;
    const { struck } = await strike(cluster, 2, 1, () => {
      if (asked < 100) expect(cluster.acts).toEqual([]);
      return asked++ >= 100;
    });
    expect(struck).toBe(2);
  });

  it('reports a cluster that does not become whole, and strikes it no more', async () => {
    const cluster = new FakeCluster(1e9);
    const { violations } = await strike(cluster, 5);
    expect(violations.counts).toEqual({ 'cluster-stuck': 1 });
    expect(cluster.acts).toHaveLength(2);
  });

  it('reports a broker that does not start', async () => {
    const cluster = new FakeCluster();
    cluster.startsFail = true;
    const { violations } = await strike(cluster, 5);
    expect(violations.samples).toEqual([{ rule: 'cluster-stuck', detail: 'the broker ended while it started' }]);
  });
});
