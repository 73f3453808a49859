import type { Clock } from '@weir/core';
import { type OwnCluster, startOwnCluster } from '../brokers/own-cluster.js';
import { Feeder, type FeederOptions } from '../generator/feeder.js';
import { FaultyProxy } from '../proxy/faulty-proxy.js';
import { JavaWitness } from '../witness/java-witness.js';
import { WeirWitness } from '../witness/weir-witness.js';

/** Everything around the service in a run: brokers and proxies, if they are its own, and who writes and reads. */
export interface Cast {
  /** As feeder, witnesses and judge reach them: never through a proxy. */
  readonly brokers: string;
  readonly cluster: OwnCluster | undefined;
  /** One before each broker of the own cluster. */
  readonly proxies: readonly FaultyProxy[];
  readonly java: JavaWitness;
  readonly weir: WeirWitness;
  readonly feeder: Feeder;
}

export interface CastOptions extends Pick<FeederOptions, 'compression' | 'transactionalId'> {
  /** Whether to start a cluster; else `brokers` are used. */
  readonly ownCluster: boolean;
  readonly brokers: string;
  readonly input: string;
}

/** @throws Error that says what is missing; nothing is left then */
export async function assemble({ ownCluster, brokers: given, input, ...packing }: CastOptions, clock: Clock): Promise<Cast> {
  const cluster = ownCluster ? await startOwnCluster() : undefined;
  const proxies: FaultyProxy[] = [];
  const brokers = cluster?.brokers ?? given;
  try {
    for (const { proxied } of cluster?.nodes ?? []) proxies.push(await FaultyProxy.start({ listen: proxied.advertised, target: proxied.listen, clock }));
    const [java, weir, feeder] = await Promise.all([JavaWitness.start(brokers), WeirWitness.start(brokers), Feeder.start({ brokers, topic: input, ...packing })]);
    return { brokers, cluster, proxies, java, weir, feeder };
  } catch (error) {
    for (const proxy of proxies) await proxy.close();
    await cluster?.stop();
    throw error;
  }
}

/** Ends them all, brokers last. */
export async function dismiss({ cluster, proxies, java, weir, feeder }: Cast): Promise<void> {
  await Promise.all([feeder.close(), java.close(), weir.close()]);
  for (const proxy of proxies) await proxy.close();
  await cluster?.stop();
}
