// `npm test`: everything that this repository says of itself, and at the end one line with what came of it: `N passed, M failed`.
//
//   lint, types, build     each counts as one failed if it fails; as tests they are not counted
//   checks                 node:test over scripts/checks: the lint rules, the architecture, the local broker
//   jest                   unit (.spec), sim (.sim.spec) and kafka (.kafka.spec) suites in one run, two at a time
//   chaos                  .chaos.spec suites, after the others and one at a time: they kill processes and watch clocks
//
//   npm test                       all of it
//   npm test -- --unit --kafka     these parts alone (--lint --types --build --checks --unit --sim --kafka --chaos)
//   npm test -- libs/core -t word  jest alone, over what the path names; whatever is no part goes to jest
//
// Invariants
//   T1. The counts are those of the runners' own reports. A suite that cannot run, a skipped test, a part that was asked for and ran
//       no test, and a runner that ended without a report each count as one failed.
//   T2. Every part has a time limit, so the last line is printed in any case.
//   T3. One broker serves all suites (KAFKA_BROKERS). If there is none, the suites that need it run, and fail, and say so.
//   T4. Whatever is started is started by the Node that runs this: `other/node scripts/test.mjs` tests on the other.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from './local-broker.mjs';
import { seconds, speaker } from './progress.mjs';
import { tally } from './testing/jest-report.mjs';
import { runChecks } from './testing/node-checks.mjs';
import { endTools, runTool } from './testing/run-tool.mjs';
import { ensureInstalled, ROOT } from './workspace.mjs';

const MINUTE_MS = 60_000;
const TOOL_LIMIT_MS = 5 * MINUTE_MS;
const JEST_LIMIT_MS = 10 * MINUTE_MS;
const CHAOS_LIMIT_MS = 11 * MINUTE_MS;
const TOOLS = /** @type {const} */ ({
  lint: ['eslint/bin/eslint.js', '.', '--max-warnings', '0'],
  types: ['typescript/bin/tsc', '-p', 'tsconfig.spec.json', '--noEmit'],
  scripts: ['typescript/bin/tsc', '-p', 'scripts/tsconfig.json'],
  build: ['typescript/bin/tsc', '-b'],
});
const JEST = 'node_modules/jest/bin/jest.js';
const JEST_ENV = {
  NODE_OPTIONS: `${process.env['NODE_OPTIONS'] ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim(),
};
/** What a suite is by its name; a plain .spec is a unit suite. @type {Record<string, string>} */
const SUITES = {
  unit: '(?<!\\.(sim|kafka|chaos))\\.spec\\.ts$',
  sim: '\\.sim\\.spec\\.ts$',
  kafka: '\\.kafka\\.spec\\.ts$',
  chaos: '\\.chaos\\.spec\\.ts$',
};
const PARTS = ['lint', 'types', 'build', 'checks', ...Object.keys(SUITES)];

const say = speaker('test');
const total = { passed: 0, failed: 0 };
/** @type {string[]} */
const failures = [];

/** @param {string} what */
function fail(what) {
  total.failed++;
  failures.push(what);
  say(`FAILED: ${what}`);
}

/** @param {readonly string[]} args */
function chosen(args) {
  const parts = args.filter((arg) => PARTS.includes(arg.slice(2)) && arg.startsWith('--')).map((arg) => arg.slice(2));
  const forJest = args.filter((arg) => !parts.includes(arg.slice(2)));
  const all = forJest.length > 0 ? Object.keys(SUITES) : PARTS;
  return { parts: new Set(parts.length > 0 ? parts : all), forJest };
}

/**
 * Linter and compilers, side by side, each one's output in one piece. Chaos suites start what is built.
 * @param {Set<string>} parts
 * @param {readonly string[]} suites
 */
async function runTools(parts, suites) {
  const needsBuild = parts.has('build') || suites.includes('chaos');
  const wanted = /** @type {(keyof typeof TOOLS)[]} */ (Object.keys(TOOLS)).filter((tool) =>
    tool === 'build' ? needsBuild : tool === 'scripts' ? parts.has('types') : parts.has(tool),
  );
  await Promise.all(
    wanted.map(async (tool) => {
      const start = performance.now();
      const [file, ...args] = TOOLS[tool];
      const { how, output } = await runTool([join('node_modules', file), ...args], { limitMs: TOOL_LIMIT_MS, capture: true });
      if (output !== '') console.log(output);
      if (how === 'ok') say(`${tool}: ${seconds(start)}`);
      else fail(`${tool}: ${how}`);
    }),
  );
}

async function runAllChecks() {
  const start = performance.now();
  const result = await runChecks(join(ROOT, 'scripts', 'checks'), TOOL_LIMIT_MS);
  total.passed += result.passed;
  for (const failure of result.failed) fail(`check: ${failure}`);
  if (result.passed + result.failed.length === 0) fail('checks: no check ran');
  say(`checks: ${result.passed} passed, ${result.failed.length} failed: ${seconds(start)}`);
}

/**
 * Jest's arguments for these suites alone. They come last: such an option takes every word behind it that is no option itself.
 * @param {readonly string[]} suites
 */
function only(suites) {
  const others = Object.entries(SUITES).filter(([suite]) => !suites.includes(suite));
  return ['/node_modules/', ...others.map(([, pattern]) => pattern)].map((pattern) => `--testPathIgnorePatterns=${pattern}`);
}

/**
 * @param {Set<string>} parts
 * @param {readonly string[]} forJest
 * @returns {Promise<string[]>} the chosen suites of which there are files
 */
async function suitesThere(parts, forJest) {
  const wanted = Object.keys(SUITES).filter((suite) => parts.has(suite));
  if (wanted.length === 0) return [];
  const args = [JEST, ...forJest, '--listTests', ...only(wanted)];
  const { how, output } = await runTool(args, { limitMs: TOOL_LIMIT_MS, capture: true, env: JEST_ENV });
  if (how !== 'ok') fail(`jest cannot list the suites: ${how}\n${output}`);
  const files = output.split('\n').filter((line) => line.endsWith('.spec.ts'));
  const there = wanted.filter((suite) => files.some((file) => new RegExp(SUITES[suite] ?? '').test(file)));
  const missing = forJest.length > 0 ? [] : wanted.filter((suite) => !there.includes(suite));
  for (const suite of missing) fail(`there is no ${suite} suite`);
  return there;
}

/**
 * One run of jest over these suites.
 * @param {readonly string[]} suites
 * @param {readonly string[]} options
 * @param {readonly string[]} forJest
 * @param {number} limitMs
 */
async function runJest(suites, options, forJest, limitMs) {
  const start = performance.now();
  const scratch = await mkdtemp(join(tmpdir(), 'weir-test-'));
  const report = join(scratch, 'report.json');
  const ci = process.env['CI'] === undefined ? [] : ['--ci'];
  const args = [JEST, ...forJest, ...options, ...ci, '--json', `--outputFile=${report}`, ...only(suites)];
  if (interrupted) return;
  const { how } = await runTool(args, { limitMs, env: JEST_ENV });
  const text = await readFile(report, 'utf8').catch(() => undefined);
  await rm(scratch, { recursive: true, force: true });
  const picked = forJest.some((arg) => /^(-t|--testNamePattern)/.test(arg));
  const result = tally({ how, report: text, picked });
  const name = `jest (${suites.join(', ')})`;
  total.passed += result.passed;
  total.failed += result.failed;
  failures.push(...result.reasons.map((reason) => `${name}: ${reason}`));
  say(`${name}: ${result.passed} passed, ${result.failed} failed in ${result.suites} suites: ${seconds(start)}`);
}

/**
 * @param {readonly string[]} suites
 * @param {readonly string[]} forJest
 */
async function runSuites(suites, forJest) {
  const together = suites.filter((suite) => suite !== 'chaos');
  if (suites.includes('kafka') || suites.includes('chaos')) await provideBroker();
  if (together.length > 0) await runJest(together, ['--maxWorkers=2'], forJest, JEST_LIMIT_MS);
  if (suites.includes('chaos')) await runJest(['chaos'], ['--runInBand'], forJest, CHAOS_LIMIT_MS);
}

/** @type {import('./local-broker.d.mts').LocalBroker | undefined} */
let broker;

async function provideBroker() {
  const start = performance.now();
  try {
    broker = await startBroker({ log: say });
    process.env['KAFKA_BROKERS'] = broker.brokers;
    say(`broker at ${broker.brokers}: ${seconds(start)}`);
  } catch (error) {
    fail(`no broker: ${error instanceof Error ? error.message : error}`);
  }
}

function printTotal() {
  if (failures.length > 0) console.log(`\n${failures.map((failure) => `failed: ${failure}`).join('\n')}`);
  console.log(`${total.passed} passed, ${total.failed} failed`);
}

async function main() {
  const { parts, forJest } = chosen(process.argv.slice(2));
  try {
    await ensureInstalled(say);
    const suites = await suitesThere(parts, forJest);
    await runTools(parts, suites);
    if (parts.has('checks')) await runAllChecks();
    await runSuites(suites, forJest);
    const wantsTests = parts.has('checks') || Object.keys(SUITES).some((suite) => parts.has(suite));
    if (wantsTests && total.passed + total.failed === 0) fail('no test ran');
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  } finally {
    await broker?.stop();
  }
  if (interrupted) fail('the run was interrupted');
  printTotal();
  process.exitCode = total.failed === 0 ? 0 : 1;
}

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
    endTools();
  });
}
await main();
