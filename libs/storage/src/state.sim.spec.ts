import { describeStateConformance } from '@weir/testing/conformance';
import { HARNESSES } from './harnesses.spec-d.js';

for (const [name, makeHarness] of HARNESSES) describeStateConformance(name, makeHarness);
