import { describe, expect, it } from '@jest/globals';
import { VARIANT_NAMES } from '../killer/kill-plan.js';
import { SABOTAGE_NAMES } from '../sabotaged/sabotage-names.js';
import { HELP, rigArguments } from './run-options.js';

const ENV = { KAFKA_BROKERS: '127.0.0.1:9092' };
const parse = (...args: string[]) => rigArguments(args, ENV, () => 77);

describe('arguments of the rig', () => {
  it('have defaults: ten kills, 200,000 readings of 2,000 sensors, a seed that was chosen', () => {
    expect(parse()).toEqual({
      json: false,
      help: false,
      report: undefined,
      runs: [
        {
          brokers: '127.0.0.1:9092',
          job: 'temperature-alerts',
          variant: 'kill',
          sabotage: undefined,
          seed: 77,
          kills: 10,
          brokerRestarts: 0,
          proxyFaults: 0,
          readings: 200_000,
          sensors: 2_000,
          partitions: 8,
          flowSeconds: 10,
          checkpointIntervalMs: 100,
          standbys: 0,
          sigkill: false,
          folder: undefined,
          keep: false,
        },
      ],
    });
  });

  it('are taken as given', () => {
    const { runs, json } = parse(
      '--kills',
      '3',
      '--readings',
      '500',
      '--sensors',
      '7',
      '--seed',
      '9',
      '--variant',
      'wipe',
      '--brokers',
      'b:1',
      '--keep',
      '--folder',
      '/x',
      '--json',
    );
    expect(runs).toMatchObject([
      { brokers: 'b:1', variant: 'wipe', seed: 9, kills: 3, readings: 500, sensors: 7, keep: true, folder: '/x' },
    ]);
    expect(json).toBe(true);
  });

  it('have replicas keep copies, and kill in turn', () => {
    expect(parse('--variant', 'rolling', '--sigkill', '--standbys', '1').runs).toMatchObject([{ variant: 'rolling', sigkill: true, standbys: 1 }]);
    expect(() => parse('--sigkill')).toThrow('--sigkill is of variant rolling, not of kill');
  });

  it('name several variants, or all', () => {
    expect(parse('--variant', 'kill,term').runs.map(({ variant }) => variant)).toEqual(['kill', 'term']);
    expect(parse('--variant', 'all').runs.map(({ variant }) => variant)).toEqual(VARIANT_NAMES);
  });

  it('name sabotages, each with the variant that can find it, in short runs', () => {
    const { runs } = parse('--sabotage', 'all');
    expect(runs.map(({ sabotage }) => sabotage)).toEqual(SABOTAGE_NAMES);
    expect(runs.find(({ sabotage }) => sabotage === 'no-fencing')).toMatchObject({ variant: 'zombie', kills: 4, readings: 20_000 });
    expect(parse('--sabotage', 'store-early', '--kills', '2').runs).toMatchObject([{ variant: 'kill', kills: 2 }]);
  });

  it('name the job, for which a sabotage has one of its own', () => {
    expect(parse('--job', 'site-alarms').runs).toMatchObject([{ job: 'site-alarms', variant: 'kill' }]);
    expect(parse('--sabotage', 'store-hollow,shuffle-apart').runs.map(({ job }) => job)).toEqual(['temperature-alerts', 'site-alarms']);
    expect(parse('--sabotage', 'store-hollow', '--job', 'site-alarms').runs).toMatchObject([{ job: 'site-alarms' }]);
  });

  it.each([
    [['--job', 'x'], '--job is x; allowed: all, temperature-alerts, site-alarms'],
    [['--variant', 'kil'], '--variant is kil; allowed: all, kill, wipe'],
    [['--sabotage', 'x'], '--sabotage is x; allowed: all, offsets-apart'],
    [['--kills', '1.5'], '--kills is 1.5; allowed: a whole number from 0'],
    [['--readings', '0'], '--readings is 0; allowed: a whole number from 1'],
    [['--seed', '-1'], '--seed'],
    [['--kill', '1'], '--kill'],
  ])('are refused with what is allowed: %j', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  it('give brokers and network their share of the faults, where both are struck', () => {
    expect(parse('--variant', 'brokers', '--kills', '50').runs).toMatchObject([{ kills: 50, brokerRestarts: 5, proxyFaults: 5 }]);
    expect(parse('--variant', 'brokers', '--broker-restarts', '7', '--proxy-faults', '0').runs).toMatchObject([{ brokerRestarts: 7, proxyFaults: 0 }]);
    expect(parse('--variant', 'proxy').runs).toMatchObject([{ kills: 10, brokerRestarts: 0, proxyFaults: 10 }]);
    expect(parse('--tenth').runs).toMatchObject([{ variant: 'brokers', kills: 100, brokerRestarts: 10, readings: 1_000_000 }]);
  });

  it('leave brokers that are given alone: what strikes brokers has its own', () => {
    expect(() => parse('--variant', 'kill,brokers', '--brokers', 'b:1')).toThrow('brokers strikes brokers: it starts a cluster of its own');
    expect(parse('--variant', 'brokers').runs).toHaveLength(1);
  });

  it('need no broker: the rig starts one', () => {
    expect(rigArguments([], {}, () => 1).runs).toMatchObject([{ brokers: '' }]);
  });

  it('are explained, every variant and sabotage among them', () => {
    expect(rigArguments(['--help'], {}, () => 1).help).toBe(true);
    for (const name of [...VARIANT_NAMES, ...SABOTAGE_NAMES]) expect(HELP).toContain(name);
  });
});
