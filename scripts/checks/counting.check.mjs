// The last line of `npm test` is believed by people and machines; so what it counts is checked on runs that go wrong in every way.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { tally } from '../testing/jest-report.mjs';

const run = promisify(execFile);
const RUN_CHECKS = new URL('../testing/node-checks.mjs', import.meta.url).href;

/** @param {Record<string, number>} fields */
const report = (fields) => JSON.stringify({ numPassedTests: 7, numTotalTestSuites: 2, ...fields });

describe('a run of jest', () => {
  it('comes to what its report says', () => {
    const { passed, failed, reasons } = tally({ how: 'ok', report: report({}), picked: false });
    assert.deepEqual([passed, failed, reasons], [7, 0, []]);
  });

  it('counts failed tests, suites that could not run, and skipped tests as failed', () => {
    const fields = { numFailedTests: 1, numRuntimeErrorTestSuites: 2, numPendingTests: 3, numTodoTests: 4 };
    const { passed, failed } = tally({ how: 'ended with exit code 1', report: report(fields), picked: false });
    assert.deepEqual([passed, failed], [7, 10]);
  });

  it('does not count the tests that were not picked', () => {
    assert.equal(tally({ how: 'ok', report: report({ numPendingTests: 3 }), picked: true }).failed, 0);
  });

  it('without a report is one failure', () => {
    assert.equal(tally({ how: 'ended with SIGKILL', report: undefined, picked: false }).failed, 1);
  });

  it('that failed although no test did is one failure', () => {
    assert.equal(tally({ how: 'ended with exit code 1', report: report({}), picked: false }).failed, 1);
  });
});

describe('a run of checks', () => {
  it('counts leaves, and what fails besides them', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'weir-check-'));
    try {
      for (const [name, text] of Object.entries(CHECKS)) writeFileSync(join(folder, `${name}.check.mjs`), text);
      const main = join(folder, 'main.mjs');
      const call = `console.log('COUNT ' + JSON.stringify(await runChecks(${JSON.stringify(folder)}, 4000)));`;
      writeFileSync(main, `import { runChecks } from ${JSON.stringify(RUN_CHECKS)};\n${call}\n`);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env; // without it, the inner run would take itself for a part of this one
      const { stdout } = await run(process.execPath, [main], { env });
      const { passed, failed } = JSON.parse(/^COUNT (.*)$/m.exec(stdout)?.[1] ?? '{}');
      const names = failed.map((/** @type {string} */ name) => name.replace(/^.*\//, '')).sort();
      assert.deepEqual(names, EXPECTED);
      assert.equal(passed, 4);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

const CHECKS = {
  leaves: `import { before, describe, it, test } from 'node:test';
    describe('suite', () => {
      it('passes', () => undefined);
      it('a failing test', () => { throw new Error(); });
      it.skip('left', () => undefined);
    });
    describe('set-up', () => {
      before(() => { throw new Error(); });
      it('under it', () => undefined);
    });
    test('outer', async (t) => {
      await t.test('passes too', () => undefined);
      await t.test('inner', () => { throw new Error(); });
    });`,
  missing: "import './is-not-there.mjs';",
  passes: "import { it } from 'node:test'; it('passes', () => undefined);",
  exits: "import { it } from 'node:test'; it('passes', () => undefined); setTimeout(() => process.exit(3), 50);",
  'z-hangs': "import { it } from 'node:test'; it('waits', () => new Promise(() => setInterval(() => undefined, 1000)));",
  empty: '',
};
const EXPECTED = [
  'a failing test',
  'exits.check.mjs',
  'inner',
  'left (skipped)',
  'missing.check.mjs',
  'set-up',
  'under it',
  'z-hangs.check.mjs',
];
