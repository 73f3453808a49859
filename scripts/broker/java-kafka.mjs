// Kafka as a Java process: which Java, which jars, which folder, which command line. What keeps the process is supervisor.mjs.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { diesWithParent, onPath } from '../dies-with-parent.mjs';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const RECIPE = join(ROOT, 'docker', 'local-broker');
const OLDEST_JAVA = 17;
const MAVEN_LIMIT_MS = 300_000;
const FORMAT_LIMIT_MS = 60_000;
/** The heap is bounded; beside it Kafka takes some 150 MB for threads, code and mapped indexes. */
const JVM_OPTIONS = ['-Xms128m', '-Xmx512m', '-XX:+ExitOnOutOfMemoryError', '-Djava.awt.headless=true'];
/** Three of them share a small machine, and are started again and again: the quick compiler, and one thread to collect garbage. */
const NODE_JVM_OPTIONS = ['-Xms96m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError', '-Djava.awt.headless=true'];

/** @typedef {Readonly<Record<string, string | undefined>>} Env */
/**
 * @template T
 * @typedef {{ found: T } | { missing: string }} Found
 */
/** @typedef {{ java: string, lib: string }} JavaKafka */
/** @typedef {{ broker: number, controller: number }} Ports */
/**
 * One of several nodes of a cluster, each of them broker and controller.
 * @typedef {object} ClusterNode
 * @property {number} id
 * @property {Ports} ports
 * @property {{ listen: number, advertised: number }} proxied ports of a second listener: where it listens, and where it says that it does
 * @property {string} clusterId
 * @property {string} voters as `controller.quorum.voters` has them
 */

/** @param {unknown} error */
const messageOf = (error) => (error instanceof Error ? error.message : String(error));

/**
 * @param {string} java
 * @returns {Promise<number | undefined>} 8, 11, 17, ...
 */
async function javaVersion(java) {
  try {
    const { stdout, stderr } = await run(java, ['-version'], { timeout: 20_000 });
    const match = /version "(\d+)(?:\.(\d+))?/.exec(stderr + stdout);
    if (match === null) return undefined;
    return match[1] === '1' ? Number(match[2]) : Number(match[1]);
  } catch {
    return undefined;
  }
}

/**
 * JAVA_HOME's if it is new enough, else that on PATH.
 * @param {Env} env
 * @returns {Promise<Found<string>>}
 */
export async function findJava(env) {
  /** @type {[string, string | undefined][]} */
  const places = [
    ['JAVA_HOME', env['JAVA_HOME'] ? join(env['JAVA_HOME'], 'bin', 'java') : undefined],
    ['PATH', await onPath('java', env)],
  ];
  const misses = [];
  for (const [place, java] of places) {
    if (java === undefined) {
      misses.push(place === 'PATH' ? 'no java on PATH' : 'JAVA_HOME is not set');
      continue;
    }
    const version = await javaVersion(java);
    if (version !== undefined && version >= OLDEST_JAVA) return { found: java };
    misses.push(version === undefined ? `${java} (${place}) does not run` : `${java} (${place}) is Java ${version}`);
  }
  return { missing: misses.join(', ') };
}

/**
 * Kafka's jars, from the cache in `.weir/`, or fetched once by Maven. The cache folder's name holds a digest of the pom, and it
 * gets that name in one rename when it is whole: a run that was cut leaves no half cache, and of two runs at once the second
 * finds the first's.
 * @param {Env} env
 * @param {(line: string) => void} log
 * @returns {Promise<Found<string>>} the folder of the jars
 */
export async function findJars(env, log) {
  const pom = join(RECIPE, 'pom.xml');
  const text = await readFile(pom, 'utf8');
  const version = /<kafka\.version>([^<]+)</.exec(text)?.[1] ?? 'unknown';
  const cache = join(ROOT, '.weir', `kafka-${version}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`);
  const lib = join(cache, 'lib');
  if (await exists(lib)) return { found: lib };

  const maven = await onPath('mvn', env);
  if (maven === undefined) return { missing: `no mvn on PATH, which is needed once to fetch Kafka ${version}` };
  log(`fetching Kafka ${version} with Maven, once ...`);
  const building = `${cache}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    await run(maven, ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${join(building, 'lib')}`], {
      timeout: MAVEN_LIMIT_MS,
      env: await mavenEnv(env),
      maxBuffer: 1 << 24,
    });
    await rename(building, cache).catch(async (error) => {
      if (!(await exists(lib))) throw error;
    });
    return { found: lib };
  } catch (error) {
    const said = /** @type {{ stdout?: string }} */ (error).stdout ?? '';
    const reason = said.split('\n').find((line) => line.includes('[ERROR]')) ?? messageOf(error).split('\n')[0];
    return { missing: `Maven could not fetch Kafka ${version}: ${reason}` };
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/**
 * A JAVA_HOME that holds no Java stops Maven, which would have found the one on PATH.
 * @param {Env} env
 */
async function mavenEnv(env) {
  const { JAVA_HOME, ...rest } = env;
  return JAVA_HOME && (await exists(join(JAVA_HOME, 'bin', 'java'))) ? { ...env } : rest;
}

/** @param {string} path */
const exists = (path) => access(path).then(() => true, () => false);

/**
 * Two free ports below the range that the system hands out to clients (32768 and up on Linux): a client that connects while the
 * broker is down can then not be given the broker's own port, so a restart finds it free.
 * @returns {Promise<Ports>}
 */
export async function freePorts() {
  const [broker, controller] = /** @type {[number, number]} */ (await freePortNumbers(2));
  return { broker, controller };
}

/**
 * As many free ports of that range.
 * @param {number} count
 * @returns {Promise<number[]>}
 */
export async function freePortNumbers(count) {
  /** @type {number[]} */
  const ports = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries === 200) throw new Error(`found no ${count} free ports of 127.0.0.1 between 20000 and 32000`);
    const port = 20_000 + (randomBytes(4).readUInt32BE() % 12_000);
    if (!ports.includes(port) && (await isFree(port))) ports.push(port);
  }
  return ports;
}

/** @returns {string} an id for a new cluster */
export const newClusterId = () => randomBytes(16).toString('base64url').replace(/^-/, 'A');

/**
 * @param {number} port
 * @returns {Promise<boolean>}
 */
function isFree(port) {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ host: '127.0.0.1', port }, () => server.close(() => resolve(true)));
  });
}

/**
 * Lays out the scratch folder: settings, empty data, formatted as a new cluster of one on these ports, or as a node of a cluster.
 * @param {JavaKafka} kafka
 * @param {string} scratch
 * @param {Ports | ClusterNode} place
 */
export async function format(kafka, scratch, place) {
  const settings = await readFile(join(RECIPE, 'server.properties'), 'utf8');
  const own = 'clusterId' in place ? await settingsOfNode(place) : settingsOfOne(place);
  await rm(join(scratch, 'data'), { recursive: true, force: true });
  await mkdir(join(scratch, 'data'), { recursive: true });
  await mkdir(join(scratch, 'logs'), { recursive: true });
  const dirs = `log.dirs=${join(scratch, 'data').replaceAll('\\', '/')}`;
  await writeFile(join(scratch, 'server.properties'), [settings, ...own, dirs, ''].join('\n'));
  const clusterId = 'clusterId' in place ? place.clusterId : newClusterId();
  const [java, ...args] = command(kafka, scratch, 'kafka.tools.StorageTool', ['format', '-t', clusterId, '-c']);
  await run(java, args, { timeout: FORMAT_LIMIT_MS });
}

/** @param {Ports} ports */
const settingsOfOne = ({ broker, controller }) => [
  `listeners=PLAINTEXT://127.0.0.1:${broker},CONTROLLER://127.0.0.1:${controller}`,
  `advertised.listeners=PLAINTEXT://127.0.0.1:${broker}`,
  `controller.quorum.voters=1@127.0.0.1:${controller}`,
];

/**
 * What stands further down wins, so the cluster's own settings come behind those of every local broker.
 * @param {ClusterNode} node
 */
async function settingsOfNode({ id, ports, proxied, voters }) {
  return [
    await readFile(join(RECIPE, 'cluster.properties'), 'utf8'),
    `node.id=${id}`,
    `listeners=PLAINTEXT://127.0.0.1:${ports.broker},PROXIED://127.0.0.1:${proxied.listen},CONTROLLER://127.0.0.1:${ports.controller}`,
    `advertised.listeners=PLAINTEXT://127.0.0.1:${ports.broker},PROXIED://127.0.0.1:${proxied.advertised}`,
    `controller.quorum.voters=${voters}`,
  ];
}

/**
 * Starts the broker process, a child of the supervisor that dies with it.
 * @param {JavaKafka} kafka
 * @param {string} scratch
 * @param {Env} env
 * @param {boolean} ofCluster whether it is a node of a cluster
 */
export async function launch(kafka, scratch, env, ofCluster) {
  const output = await open(join(scratch, 'logs', 'output.txt'), 'a');
  const [file, ...args] = await diesWithParent('KILL', command(kafka, scratch, 'kafka.Kafka', [], ofCluster ? NODE_JVM_OPTIONS : JVM_OPTIONS), env);
  try {
    return spawn(file, args, { stdio: ['ignore', output.fd, output.fd], cwd: scratch });
  } finally {
    await output.close();
  }
}

/**
 * @param {JavaKafka} kafka
 * @param {string} scratch
 * @param {string} main
 * @param {string[]} args
 * @param {readonly string[]} [options]
 * @returns {[string, ...string[]]}
 */
function command(kafka, scratch, main, args, options = JVM_OPTIONS) {
  return [
    kafka.java,
    ...options,
    `-Dlog4j2.configurationFile=${join(RECIPE, 'log4j2.properties')}`,
    `-Dweir.broker.logs=${join(scratch, 'logs')}`,
    '-cp',
    join(kafka.lib, '*'),
    main,
    ...args,
    join(scratch, 'server.properties'),
  ];
}

/**
 * @param {string} scratch
 * @returns {Promise<string>} what the broker said last: errors and the final lines
 */
export async function lastWords(scratch) {
  const files = ['output.txt', 'server.log'].map((name) => join(scratch, 'logs', name));
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')));
  const lines = texts.join('\n').split('\n').filter((line) => line.trim() !== '');
  const errors = lines.filter((line) => / (ERROR|FATAL) |Exception/.test(line)).slice(0, 5);
  return [...errors, '...', ...lines.slice(-8)].map((line) => line.slice(0, 300)).join('\n');
}
