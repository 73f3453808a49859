import { describe, expect, it } from '@jest/globals';
import { CRASH_POINTS } from '@weir/testing';
import { ACTS, KEYS, KINDS, type Operation, OPERATOR_KINDS, type Rule, type StateHarness, StatesRig, USER_KEYS } from '@weir/testing/conformance';
import fc from 'fast-check';
import { HARNESSES } from './harnesses.spec-d.js';

/** Random programs of operations on every kind of state, run as a whole job through crashes, and in plain variables beside it. */
type Step =
  | { readonly type: 'operations'; readonly operations: readonly Omit<Operation, 'n'>[] }
  | { readonly type: 'rule'; readonly rule: Omit<Rule, 'n'> }
  | { readonly type: 'finish' }
  | { readonly type: 'crash'; readonly withoutFiles: boolean }
  | { readonly type: 'expire' }
  /** The process dies at a point of its work, when it comes there for the so many-th time from now. */
  | { readonly type: 'kill'; readonly point: (typeof POINTS)[number]; readonly skip: number };

const POINTS = Object.values(CRASH_POINTS);
/** Few, so that operations meet. */
const keys = fc.oneof(fc.constantFrom('a', 'ab', '\0\0\0\0'), fc.constantFrom(...KEYS));
const userKeys = fc.constantFrom(...USER_KEYS);

const operation: fc.Arbitrary<Omit<Operation, 'n'>> = fc
  .constantFrom<readonly [Operation['operator'], Operation['kind']]>(
    ...KINDS.map((kind) => ['states', kind] as const),
    ...KINDS.map((kind) => ['fading', kind] as const),
    ...OPERATOR_KINDS.map((kind) => ['lists', kind] as const),
    ['states', 'broadcast'],
  )
  .chain(([operator, kind]) => fc.record({ operator: fc.constant(operator), kind: fc.constant(kind), act: fc.constantFrom(...ACTS[kind]), key: keys, userKey: userKeys }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('operations' as const), operations: fc.array(operation, { minLength: 1, maxLength: 30, size: 'max' }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('rule' as const), rule: fc.record({ act: fc.constantFrom('put', 'put', 'put', 'remove', 'clear'), userKey: userKeys }) }) },
  { weight: 3, arbitrary: fc.constant<Step>({ type: 'finish' }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('crash' as const), withoutFiles: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('kill' as const), point: fc.constantFrom(...POINTS), skip: fc.nat(5) }) },
  { weight: 1, arbitrary: fc.constant<Step>({ type: 'expire' }) },
);
const program = fc.array(step, { minLength: 5, maxLength: 25, size: 'max' });

async function take(rig: StatesRig, next: Step): Promise<void> {
  switch (next.type) {
    case 'operations':
      return next.operations.forEach((given) => rig.operate(given));
    case 'rule':
      return rig.rule(next.rule);
    case 'finish':
      return rig.finish();
    case 'crash':
      return rig.crash(next.withoutFiles);
    case 'expire':
      return rig.expireWhileDown();
    case 'kill':
      rig.driver.cluster.faults.at(next.point, { type: 'kill' }, { skip: next.skip });
  }
}

/** @returns where the job and the plain variables differ, at the end and once more without local files */
async function differences(harness: StateHarness, steps: readonly Step[]): Promise<string[]> {
  const rig = await StatesRig.start(harness, 1);
  try {
    for (const next of steps) await take(rig, next);
    await rig.finish();
    rig.driver.cluster.faults.clear();
    const swept = !steps.some(({ type }) => type === 'expire');
    const found = rig.differences(swept);
    await rig.crash(true);
    for (const key of ['a', 'ab', '\0\0\0\0']) for (const [kind, act] of READS) rig.operate({ operator: 'states', kind, act, key, userKey: 'x' });
    await rig.finish();
    return [...found, ...rig.differences(swept)];
  } finally {
    await rig.end();
  }
}

const READS = [['value', 'get'], ['list', 'get'], ['map', 'entries'], ['reducing', 'get'], ['aggregating', 'get'], ['broadcast', 'entries']] as const;

describe('any program of operations on every kind of state', () => {
  it.each(HARNESSES)(
    'gives on %s what plain variables give, wherever the process dies, with local files and without',
    async (_, makeHarness) => {
      await fc.assert(
        fc.asyncProperty(program, async (steps) => {
          const harness = await makeHarness();
          try {
            expect(await differences(harness, steps)).toEqual([]);
          } finally {
            await harness.dispose();
          }
        }),
        { numRuns: 25 },
      );
    },
    120_000,
  );
});
