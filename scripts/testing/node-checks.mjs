// Runs the node:test checks of a folder, one file at a time in a process of its own, and counts their leaves.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

/**
 * @param {string} folder of *.check.mjs
 * @param {number} limitMs for all of them
 * @returns {Promise<{ passed: number, failed: string[] }>} failed tests by name
 */
export async function runChecks(folder, limitMs) {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.check.mjs')).sort();
  const files = names.map((name) => join(folder, name));
  /** @type {string[]} */
  const failed = [];
  let passed = 0;
  const stream = run({ files, concurrency: 1, signal: AbortSignal.timeout(limitMs) });
  stream.on('test:pass', (test) => {
    const ran = test.skip === undefined && test.todo === undefined;
    if (!isGroup(test, files)) ran ? passed++ : failed.push(`${test.name} (skipped)`);
  });
  stream.on('test:fail', (test) => {
    const cause = /** @type {{ failureType?: string } | undefined} */ (test.details.error);
    // A suite or a file fails with its tests, which are counted; but also by itself.
    if (cause?.failureType !== 'subtestsFailed') failed.push(test.name);
  });
  await new Promise((resolve) => stream.compose(new spec()).on('end', () => resolve(undefined)).pipe(process.stderr, { end: false }));
  return { passed, failed };
}

/**
 * @param {{ name: string, details: { type?: string | undefined } }} test
 * @param {readonly string[]} files
 */
const isGroup = (test, files) => test.details.type === 'suite' || files.includes(test.name);
