import { describe, expect, it } from '@jest/globals';
import { HIDING_SABOTAGES, SIMULATION_SABOTAGE_NAMES, SIMULATION_SABOTAGES, type SimulationSabotage } from './sabotages.js';
import { FAULT_TYPES, scenarioOf, spelledScenario } from './scenario.js';
import { simulate } from './simulate.js';
import { HELP, simulationArguments } from './simulation-options.js';

/** A slice of what `npm run simulate` runs by the thousand. */
const FIRST_SEED = 1;
const SLICES = 8;
const SLICE_SEEDS = 25;

describe('the protocol in simulation', () => {
  it.each(Array.from({ length: SLICES }, (_, i) => FIRST_SEED + i * SLICE_SEEDS))(
    'holds whatever strikes: 25 seeds from %i',
    async (from) => {
      for (let seed = from; seed < from + SLICE_SEEDS; seed++) {
        const scenario = scenarioOf(seed);
        const { findings } = await simulate(scenario);
        expect([seed, findings, findings.length > 0 ? spelledScenario(scenario) : '']).toEqual([seed, [], '']);
      }
    },
    60_000,
  );
});

describe('a seed', () => {
  it('gives the same run twice, event for event', async () => {
    const seeds = [2, 3, 5, 11, 12];
    for (const seed of seeds) {
      const runs: string[][] = [[], []];
      const results = [];
      for (const lines of runs) results.push(await simulate(scenarioOf(seed), { tell: (line) => lines.push(line) }));
      expect(runs[0]!.length).toBeGreaterThan(200);
      expect(runs[1]).toEqual(runs[0]);
      expect(results[1]).toEqual(results[0]);
    }
  });

  it('gives another run than its neighbour', async () => {
    const hashes = await Promise.all([1, 2, 3].map(async (seed) => (await simulate(scenarioOf(seed))).hash));
    expect(new Set(hashes).size).toBe(3);
  });

  it('that fails for a sabotage fails again, in the same way', async () => {
    const found = await firstFound('outputs-apart');
    const again = await simulate(scenarioOf(found.seed), { sabotage: 'outputs-apart' });
    expect(found.findings.length).toBeGreaterThan(0);
    expect([again.findings, again.hash]).toEqual([found.findings, found.hash]);
  });
});

describe('what is broken on purpose', () => {
  const soonFound = ['offsets-apart', 'outputs-apart', 'store-early', 'store-hollow', 'epoch-dropped', 'shuffle-apart', 'barrier-lost', 'purged-early'] as const;
  it.each(soonFound)('is found: %s', async (name) => {
    const { findings } = await firstFound(name);
    expect(findings).not.toEqual([]);
  });
});

describe('what is asked for', () => {
  it('is a number of seeds, or one that is said again, and every sabotage that is known to be found', () => {
    expect(simulationArguments(['--from', '7', '--seeds', '10000', '--workers', '2'])).toMatchObject({ from: 7, seeds: 10_000, workers: 2, isReplay: false, sabotages: [] });
    expect(simulationArguments(['--seed', '1302', '--trace', '--workers', '2'])).toMatchObject({ from: 1302, seeds: 1, workers: 1, isReplay: true, trace: true });
    const { sabotages } = simulationArguments(['--sabotage', 'all']);
    expect([...sabotages, ...HIDING_SABOTAGES].sort()).toEqual([...SIMULATION_SABOTAGE_NAMES].sort());
    expect(HELP).toContain('--seeds N');
  });

  it('is refused by name and value where it cannot be', () => {
    for (const [args, words] of [[['--seeds', 'x'], /--seeds is x/], [['--job', 'y'], /--job is y.*alerts/], [['--sabotage', 'z'], /--sabotage is z.*no-fencing/]] as const) {
      expect(() => simulationArguments(args)).toThrow(words);
    }
  });
});

describe('scenarios', () => {
  it('bring every sort of fault, and say it', () => {
    const drawn = Array.from({ length: 300 }, (_, seed) => scenarioOf(seed));
    expect(new Set(drawn.flatMap(({ faults }) => faults.map(({ type }) => type)))).toEqual(new Set(FAULT_TYPES));
    expect(drawn.every((scenario) => scenario.faults.every(({ type }) => spelledScenario(scenario).includes(type)))).toBe(true);
  });
});

async function firstFound(sabotage: SimulationSabotage): Promise<Awaited<ReturnType<typeof simulate>> & { readonly seed: number }> {
  for (let seed = 1; seed < 100; seed++) {
    const result = await simulate(scenarioOf(seed, SIMULATION_SABOTAGES[sabotage].job), { sabotage });
    if (result.findings.length > 0) return { ...result, seed };
  }
  throw new Error(`${sabotage} was not found`);
}
