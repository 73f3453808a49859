// The launcher behind `npm run demo`, `bench` and `chaos`: makes the clone ready, starts a broker, runs one built program with it, and
// ends both in order: the program first, then the broker it still needs to finish.
//
//   prepare -> broker -> program runs -> (signal: the program is told) -> program ended -> broker ended -> exit with the program's code
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { diesWithParent } from './dies-with-parent.mjs';
import { NoBrokerError, startBroker } from './local-broker.mjs';
import { seconds, speaker } from './progress.mjs';
import { ensureBuilt, ensureInstalled, ROOT } from './workspace.mjs';

/** A program that was told to end has this long; then it is killed. */
const END_LIMIT_MS = 20_000;
/** A second Ctrl-C sooner than this is the echo of the first: a terminal and npm both pass one on. */
const ECHO_MS = 1_000;

/**
 * @typedef {object} Launch
 * @property {string} name of the script, for its progress lines
 * @property {string} program built, from the root
 * @property {readonly string[]} args for the program
 * @property {'needed' | 'own' | 'embedded-instead' | 'embedded'} broker `own`: the program starts what it needs; `embedded-instead`: where there is no way to a broker, the program
 *   runs without one, with WEIR_EMBEDDED=1 in place of KAFKA_BROKERS
 */

/**
 * Runs it to its end and sets the exit code.
 * @param {Launch} launch
 */
export async function launch({ name, program, args, broker: wish }) {
  const say = speaker(name);
  /** @type {import('./local-broker.d.mts').LocalBroker | undefined} */
  let broker;
  const ending = watchSignals();
  try {
    await ensureInstalled(say);
    await ensureBuilt(say);
    broker = wish === 'embedded' || wish === 'own' ? undefined : await brokerFor(wish, say);
    const env = broker !== undefined ? { KAFKA_BROKERS: broker.brokers } : wish === 'own' ? {} : { WEIR_EMBEDDED: '1' };
    process.exitCode = ending.signal === undefined ? await runProgram(program, args, env, ending) : exitCodeOf(ending.signal);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = ending.signal === undefined ? 1 : exitCodeOf(ending.signal);
  } finally {
    await broker?.stop();
    ending.close();
  }
}

/**
 * @param {'needed' | 'embedded-instead'} wish
 * @param {import('./progress.mjs').Say} say
 */
async function brokerFor(wish, say) {
  const start = performance.now();
  try {
    const broker = await startBroker({ log: say });
    say(`broker at ${broker.brokers}${broker.way === 'given' ? ' (KAFKA_BROKERS)' : ''}: ${seconds(start)}`);
    return broker;
  } catch (error) {
    if (wish === 'needed' || !(error instanceof NoBrokerError)) throw error;
    const line = '*'.repeat(100);
    say(`${line}\n${error.message}\n\nSo this runs EMBEDDED: WITHOUT KAFKA, on an in-memory stand-in for it, in one process.\n${line}`);
    return undefined;
  }
}

/**
 * @typedef {object} Ending
 * @property {NodeJS.Signals | undefined} signal that came first
 * @property {((signal: NodeJS.Signals, again: boolean) => void) | undefined} onSignal
 * @property {() => void} close
 */

/**
 * Keeps signals from ending us before what we started. One that comes during the preparations is looked at before the program starts.
 * @returns {Ending}
 */
function watchSignals() {
  let first = 0;
  /** @param {NodeJS.Signals} signal */
  const came = (signal) => {
    if (ending.signal !== undefined && performance.now() - first < ECHO_MS) return;
    const again = ending.signal !== undefined;
    if (!again) first = performance.now();
    ending.signal ??= signal;
    ending.onSignal?.(signal, again);
  };
  /** @type {NodeJS.Signals[]} */
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, came);
  /** @type {Ending} */
  const ending = { signal: undefined, onSignal: undefined, close: () => signals.forEach((signal) => process.off(signal, came)) };
  return ending;
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string>>} env
 * @param {Ending} ending
 * @returns {Promise<number>} its exit code
 */
async function runProgram(program, args, env, ending) {
  const [file, ...line] = await diesWithParent('TERM', [process.execPath, join(ROOT, program), ...args], process.env);
  return new Promise((resolve, reject) => {
    const child = spawn(file, line, { env: { ...process.env, ...env }, stdio: 'inherit' });
    ending.onSignal = (signal, again) => {
      if (again) return void child.kill('SIGKILL');
      // Ctrl-C goes to everything in the terminal's foreground, the program too.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
      setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS).unref();
    };
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal === null ? (code ?? 1) : exitCodeOf(signal)));
  });
}

/** @param {NodeJS.Signals} signal */
const exitCodeOf = (signal) => 128 + constants.signals[signal];
