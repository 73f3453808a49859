import { describe, expect, it } from '@jest/globals';
import { OptionError, optionsFrom } from './options.js';

describe('the options of the benchmark', () => {
  it('are those of the project goal when nothing is said', () => {
    expect(optionsFrom([])).toMatchObject({ command: 'compare', records: 2_000_000, partitions: 4, parallelism: 4, intervalMs: 500, backend: 'rocksdb', runs: 3 });
  });

  it('take one run for --quick, unless --runs says otherwise', () => {
    expect(optionsFrom(['--quick']).runs).toBe(1);
    expect(optionsFrom(['--quick', '--runs', '2']).runs).toBe(2);
  });

  it('take sizes of batches by name and in bytes', () => {
    expect(optionsFrom(['--batches', 'small']).batchBytes).toBe(16_384);
    expect(optionsFrom(['--batches', '100000']).batchBytes).toBe(100_000);
  });

  it('never have more tasks than partitions', () => {
    expect(optionsFrom(['--partitions', '2']).parallelism).toBe(2);
    expect(() => optionsFrom(['--partitions', '2', '--parallelism', '3'])).toThrow(OptionError);
  });

  it('limit the memory of a process in megabytes', () => {
    expect(optionsFrom(['memory'])).toMatchObject({ limitBytes: 700_000_000, budgetBytes: 256_000_000, heapBytes: 200_000_000 });
    expect(optionsFrom(['memory', '--limit', '500']).limitBytes).toBe(500_000_000);
    expect(() => optionsFrom(['memory', '--heap', '0'])).toThrow('--heap is "0"; allowed: a whole number from 1 to 1000000.');
  });

  it.each([
    [['fly'], 'command is "fly"; allowed: compare, latency, memory, micro, parallelism, pressure, profile, states.'],
    [['--records', 'many'], '--records is "many"; allowed: a whole number from 1000 to 1000000000.'],
    [['--peers', 'weir,flink'], 'peers is "flink"; allowed: bare, weir, kafka-streams.'],
    [['--backend', 'disk'], 'backend is "disk"; allowed: rocksdb, memory.'],
  ])('refuse %j with what is allowed', (args, message) => {
    expect(() => optionsFrom(args)).toThrow(message);
  });

  it('refuse what they do not know', () => {
    expect(() => optionsFrom(['--speed', '3'])).toThrow(OptionError);
  });
});
