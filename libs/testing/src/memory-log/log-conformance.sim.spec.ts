import { describeLogConformance } from '../conformance/log.js';
import { describeMembershipConformance } from '../conformance/membership.js';
import { LIFELIKE } from './cluster-options.js';
import { harnessOf } from './driven-harness.spec-d.js';

describeLogConformance('the in-memory log without delays', () => harnessOf({}));
for (const seed of [1, 2, 3]) {
  describeLogConformance(`the in-memory log with late markers and small chunks (seed ${seed})`, () => harnessOf({ ...LIFELIKE, seed }));
}

describeMembershipConformance('the in-memory log without delays', () => harnessOf({}));
for (const seed of [1, 2, 3]) {
  describeMembershipConformance(`the in-memory log with late answers (seed ${seed})`, () => harnessOf({ ...LIFELIKE, seed }));
}
