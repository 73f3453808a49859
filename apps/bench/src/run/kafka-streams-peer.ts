import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE_DIR, ROOT } from '../places.js';
import { runToResult } from './child-process.js';
import { THRESHOLD } from '../input/alert-digest.js';
import type { RunResult } from './run-meter.js';
import type { RunSpec } from './run-spec.js';

/**
 * Kafka Streams as a peer, for those who have Java and Maven. Maven fetches its jars once and javac compiles the one source file once, into
 * a folder of the cache whose name holds a digest of both; it gets that name in one rename when it is whole.
 */
export type KafkaStreams = { readonly type: 'ready'; readonly folder: string; readonly version: string } | { readonly type: 'missing'; readonly reason: string };

/** How the peer is set up beside the run's own settings. */
export interface KafkaStreamsVariant {
  readonly threads: number;
  /** Of the record cache of the whole process; 0 for none. */
  readonly cacheBytes: number;
}

const SOURCES = join(ROOT, 'apps', 'bench', 'kafka-streams');
const MAIN = 'KafkaStreamsPeer';
const OLDEST_JAVA = 17;
const FETCH_LIMIT_MS = 300_000;
/** Its heap: a record cache of 256 MB and what a JVM of this size works well with. RocksDB's memory comes on top. */
const HEAP = ['-Xms512m', '-Xmx2g'];

const run = promisify(execFile);

export async function findKafkaStreams(say: (line: string) => void): Promise<KafkaStreams> {
  const pom = await readFile(join(SOURCES, 'pom.xml'), 'utf8');
  const source = await readFile(join(SOURCES, `${MAIN}.java`), 'utf8');
  const version = /<kafka\.version>([^<]+)</.exec(pom)?.[1] ?? 'unknown';
  const java = await missingJava();
  if (java !== undefined) return { type: 'missing', reason: java };
  const digest = createHash('sha256').update(pom).update(source).digest('hex').slice(0, 8);
  const folder = join(CACHE_DIR, `kafka-streams-${version}-${digest}`);
  if (await exists(folder)) return { type: 'ready', folder, version };
  say(`fetching Kafka Streams ${version} with Maven and compiling its job, once ...`);
  await mkdir(CACHE_DIR, { recursive: true });
  const building = await mkdtemp(`${folder}-`);
  try {
    await run('mvn', ['-q', '-B', '-f', join(SOURCES, 'pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${join(building, 'lib')}`], { timeout: FETCH_LIMIT_MS });
    await run('javac', ['-d', join(building, 'classes'), '-cp', join(building, 'lib', '*'), join(SOURCES, `${MAIN}.java`)], { timeout: FETCH_LIMIT_MS });
    await rename(building, folder);
    return { type: 'ready', folder, version };
  } catch (thrown) {
    if (await exists(folder)) return { type: 'ready', folder, version }; // another run was first
    return { type: 'missing', reason: firstError(thrown) };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Why there is no Java that will do; undefined if there is one. */
async function missingJava(): Promise<string | undefined> {
  for (const [program, argument] of [['java', '-version'], ['javac', '-version'], ['mvn', '-v']] as const) {
    try {
      const { stdout, stderr } = await run(program, [argument], { timeout: 60_000 });
      const major = Number(/(?:version "|javac )(\d+)/.exec(stderr + stdout)?.[1]);
      if (program !== 'mvn' && !(major >= OLDEST_JAVA)) return `${program} is version ${major}, and ${OLDEST_JAVA} or later is needed`;
    } catch {
      return `no ${program} on PATH that runs; a JDK of version ${OLDEST_JAVA} or later and Maven are needed`;
    }
  }
  return undefined;
}

function firstError(thrown: unknown): string {
  const { stdout = '', stderr = '', message = String(thrown) } = thrown as { stdout?: string; stderr?: string; message?: string };
  return `${stdout}\n${stderr}`.split('\n').find((line) => /error/i.test(line)) ?? message;
}

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);

export function runKafkaStreams(folder: string, spec: RunSpec, { threads, cacheBytes }: KafkaStreamsVariant): Promise<RunResult> {
  const { brokers, applicationId, input, output, records, intervalMs, stateDir } = spec;
  const options = { brokers: brokers.join(','), applicationId, input, output, records, threads, intervalMs, stateDir, threshold: THRESHOLD, cacheBytes };
  const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
  const classPath = [join(folder, 'classes'), join(folder, 'lib', '*')].join(process.platform === 'win32' ? ';' : ':');
  return runToResult('java', [...HEAP, '-cp', classPath, MAIN, ...args]);
}
