// What a run of jest comes to, from its own report (`--json`) and from how it ended.

/**
 * @typedef {object} JestRun
 * @property {string} how it ended: `ok`, or else
 * @property {string | undefined} report its JSON, undefined if it left none
 * @property {boolean} picked tests were picked by name (-t): those left out are in the report as skipped
 */

/**
 * Counts never too well: a suite that could not run, a skipped test, and a run that failed without saying of what, are one failure each.
 * @param {JestRun} run
 * @returns {{ passed: number, failed: number, suites: number, reasons: string[] }} `reasons` for what is no failed test of jest's own
 */
export function tally({ how, report, picked }) {
  if (report === undefined) return { passed: 0, failed: 1, suites: 0, reasons: [`jest left no report: ${how}`] };
  const fields = /** @type {Record<string, number>} */ (JSON.parse(report));
  const of = (/** @type {string} */ field) => fields[field] ?? 0;
  const unrun = of('numRuntimeErrorTestSuites');
  const skipped = picked ? 0 : of('numPendingTests') + of('numTodoTests');
  const reasons = [];
  if (of('numFailedTests') > 0) reasons.push(`${of('numFailedTests')} failed tests`);
  if (unrun > 0) reasons.push(`${unrun} suites that could not run`);
  if (skipped > 0) reasons.push(`${skipped} skipped tests`);
  let failed = of('numFailedTests') + unrun + skipped;
  if (failed === 0 && how !== 'ok') {
    failed = 1;
    reasons.push(`no test failed, but jest did: it ${how}`);
  }
  return { passed: of('numPassedTests'), failed, suites: of('numTotalTestSuites'), reasons };
}
