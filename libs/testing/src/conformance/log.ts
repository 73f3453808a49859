import { afterAll, afterEach, beforeAll, beforeEach, describe, it } from '@jest/globals';
import { appendingTests } from './log-appending.js';
import { deletionTests } from './log-deletion.js';
import { LogFixture, type LogHarness } from './log-harness.js';
import { closingTests, fencingTests } from './log-ownership.js';
import { positionTests, readingTests } from './log-reading.js';
import { topicTests } from './log-topics.js';
import { visibilityTests, writerTests } from './log-transactions.js';

export type { LogHarness } from './log-harness.js';

/** Name and body of one test. */
export type ConformanceTest = readonly [name: string, run: (fixture: LogFixture) => Promise<void>];

/**
 * What every implementation of the Log port must do, as a suite that an implementation's spec calls. It uses the port alone, so it
 * runs on a real cluster as on the in-memory one; guarantees are cited by their number in the port (L1 to L7).
 *
 * @param name of the implementation, for the report
 * @param makeHarness called once; one cluster serves all tests, which keep apart by names of their own
 */
export function describeLogConformance(name: string, makeHarness: () => Promise<LogHarness>): void {
  describe(`${name} is a Log`, () => {
    let harness: LogHarness;
    let fixture: LogFixture;

    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.close());
    beforeEach(() => {
      fixture = new LogFixture(harness);
    });
    afterEach(() => fixture.end());

    for (const [group, tests] of GROUPS) {
      describe(group, () => {
        for (const [sentence, run] of tests) it(sentence, () => run(fixture));
      });
    }
  });
}

const GROUPS: readonly (readonly [string, readonly ConformanceTest[]])[] = [
  ['topics', topicTests],
  ['reading', readingTests],
  ['positions', positionTests],
  ['deletion', deletionTests],
  ['visibility', visibilityTests],
  ['writers', writerTests],
  ['appenders', appendingTests],
  ['fencing', fencingTests],
  ['closing', closingTests],
];
