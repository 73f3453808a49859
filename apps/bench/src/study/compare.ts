import { writeFile } from 'node:fs/promises';
import type { BenchOptions } from '../options.js';
import { comparisonReport } from '../report/comparison-report.js';
import type { CheckedRun, PeerFigures } from '../report/figures.js';
import { summarize } from '../report/figures.js';
import { whole } from '../report/table.js';
import { findKafkaStreams, type KafkaStreamsVariant, runKafkaStreams } from '../run/kafka-streams-peer.js';
import type { RunResult } from '../run/run-meter.js';
import type { RunSpec } from '../run/run-spec.js';
import { runNode } from '../run/run-node.js';
import { type PreparedInput, Session } from '../run/session.js';
import { describeMachine } from './machine.js';

/** One setting in which all peers are measured. */
interface Scenario {
  readonly title: string;
  readonly sensors: number;
  /** Keys that a task keeps on the heap. */
  readonly cacheEntries: number;
}

interface Peer {
  readonly name: string;
  readonly run: (spec: RunSpec) => Promise<RunResult>;
}

const FEW_SENSORS = 1_000;
const MANY_SENSORS = 500_000;
/** Where the heap holds few keys, it holds this part of them. */
const FEW_CACHED = 10;
/** Kafka Streams' default, and what holds some 50,000 entries of this job. */
const SMALL_RECORD_CACHE_BYTES = 10 * 1024 * 1024;
/** Holds all entries of a million keys of this job. */
const LARGE_RECORD_CACHE_BYTES = 256 * 1024 * 1024;

/**
 * The same input through all peers, which run in turn so that a change of the machine's mood meets all of them alike.
 * @returns whether every run's alerts were the model's
 */
export async function compare(options: BenchOptions, brokers: readonly string[]): Promise<boolean> {
  const session = await Session.open(brokers, options.batchBytes);
  try {
    session.say(describeMachine(options));
    const peersOf = await peers(options, session);
    const scenarios = scenariosOf(options);
    const all: { scenario: Scenario; expectedAlerts: number; peers: readonly PeerFigures[] }[] = [];
    for (const scenario of scenarios) {
      const { records, partitions, seed } = options;
      const input = await session.prepare({ sensors: scenario.sensors, records, partitions, seed });
      const figures = await measure(session, options, scenario, input, peersOf(scenario));
      const expectedAlerts = input.expected.count;
      all.push({ scenario, expectedAlerts, peers: figures });
      console.log(comparisonReport(scenario.title, expectedAlerts, options.intervalMs, figures).join('\n'));
    }
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify({ options, scenarios: all }, undefined, 2)}\n`);
    return all.every(({ peers: each }) => each.every((figures) => summarize(figures).isCorrect));
  } finally {
    await session.close();
  }
}

function scenariosOf({ sensors, cacheEntries, parallelism }: BenchOptions): Scenario[] {
  const few = (of: number): number => Math.ceil(of / parallelism / FEW_CACHED);
  const scenario = (of: number, kept: number): Scenario => {
    const held = kept >= of ? 'all on the heap' : `${whole(kept)} on the heap of each of ${parallelism} tasks`;
    return { title: `${whole(of)} keys, ${held}`, sensors: of, cacheEntries: kept };
  };
  if (sensors !== undefined) return [scenario(sensors, cacheEntries ?? sensors)];
  const standard = [scenario(FEW_SENSORS, FEW_SENSORS), scenario(MANY_SENSORS, MANY_SENSORS), scenario(MANY_SENSORS, few(MANY_SENSORS))];
  return cacheEntries === undefined ? standard : [scenario(FEW_SENSORS, cacheEntries), scenario(MANY_SENSORS, cacheEntries)];
}

async function peers({ peers: wanted }: BenchOptions, session: Session): Promise<(scenario: Scenario) => Peer[]> {
  const ours = (['bare', 'weir'] as const).filter((name) => wanted.includes(name));
  const named = ours.map((type): Peer => ({ name: type, run: (spec) => runNode<RunResult>({ type, spec }) }));
  if (!wanted.includes('kafka-streams')) return () => named;
  const found = await findKafkaStreams((line) => session.say(line));
  if (found.type === 'missing') {
    session.say(`\n!!! KAFKA STREAMS IS LEFT OUT of this comparison: ${found.reason}\n`);
    return () => named;
  }
  return ({ cacheEntries, sensors }) => {
    const cacheBytes = cacheEntries >= sensors && sensors > FEW_SENSORS ? LARGE_RECORD_CACHE_BYTES : SMALL_RECORD_CACHE_BYTES;
    const variants: KafkaStreamsVariant[] = [1, 2].flatMap((threads) => [0, cacheBytes].map((bytes) => ({ threads, cacheBytes: bytes })));
    return [...named, ...variants.map((variant): Peer => ({ name: variantName(variant), run: (spec) => runKafkaStreams(found.folder, spec, variant) }))];
  };
}

function variantName({ threads, cacheBytes }: KafkaStreamsVariant): string {
  const cache = cacheBytes === 0 ? 'no record cache' : `record cache ${cacheBytes / 1024 / 1024} MB`;
  return `kafka-streams, ${threads} thread${threads === 1 ? '' : 's'}, ${cache}`;
}

async function measure(session: Session, options: BenchOptions, scenario: Scenario, input: PreparedInput, measured: readonly Peer[]): Promise<PeerFigures[]> {
  const { parallelism, intervalMs, backend, runs } = options;
  const found = new Map<string, CheckedRun[]>(measured.map(({ name }) => [name, []]));
  for (let run = 1; run <= runs; run++) {
    for (const { name, run: start } of measured) {
      const spec = await session.spec(input, { parallelism, intervalMs, cacheEntries: scenario.cacheEntries, backend });
      const result = await session.checked(input, spec, () => start(spec));
      found.get(name)!.push(result);
      session.say(`  ${scenario.title}: ${name}, run ${run} of ${runs}: ${whole((result.records / result.elapsedMs) * 1_000)} records/s`);
    }
  }
  return measured.map(({ name }) => ({ peer: name, runs: found.get(name)! }));
}
