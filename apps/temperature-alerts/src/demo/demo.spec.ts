import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@weir/testing';
import { demoOptions } from './demo-options.js';
import { Fleet } from './fleet.js';
import { seattleReadings, SeattleReplay } from './seattle.js';
import { StatusLine } from './status-line.js';

describe('the options of the demo', () => {
  it('end it after seconds, and embed it where asked for', () => {
    expect(demoOptions([], {})).toEqual({ seconds: undefined, embedded: false });
    expect(demoOptions(['--seconds', '20', '--embedded'], {})).toEqual({ seconds: 20, embedded: true });
    expect(demoOptions(['--seconds=5'], { WEIR_EMBEDDED: '1' })).toEqual({ seconds: 5, embedded: true });
  });

  it('refuse anything else, and say how it is used', () => {
    expect(() => demoOptions(['--second', '1'], {})).toThrow('Unknown option --second. Usage: npm run demo');
    expect(() => demoOptions(['--seconds', 'ten'], {})).toThrow('--seconds takes a whole number');
    expect(() => demoOptions(['--seconds'], {})).toThrow('nothing came');
  });
});

describe("Seattle's weather", () => {
  it('has four years of lows and highs, some of them ten degrees apart', () => {
    const years = seattleReadings();
    expect([...years].map(([id, readings]) => [id, readings.length])).toEqual([
      ['seattle_2012', 732],
      ['seattle_2013', 730],
      ['seattle_2014', 730],
      ['seattle_2015', 730],
    ]);
    const [low, high] = years.get('seattle_2012')!;
    expect([low!.temperature, high!.temperature]).toEqual([5, 12.8]);
    const jumps = [...years.values()].flatMap((year) => year.filter((reading, i) => i > 0 && Math.abs(reading.temperature - year[i - 1]!.temperature) >= 10));
    expect(jumps.length).toBeGreaterThan(500);
  });

  it('is replayed side by side, and again from the start', () => {
    const replay = new SeattleReplay();
    const first = replay.next();
    expect(first.map(({ id }) => id)).toEqual(['seattle_2012', 'seattle_2013', 'seattle_2014', 'seattle_2015']);
    for (let i = 1; i < 730; i++) replay.next();
    expect(replay.next()[1]).toEqual(first[1]);
  });
});

describe('the simulated fleet', () => {
  it('walks in small steps and jumps now and then', () => {
    const random = new SeededRandom(1);
    const fleet = new Fleet(10, 0.05, () => random.next());
    const last = new Map<string, number>();
    let jumps = 0;
    for (const { id, temperature } of fleet.next(2_000, 0)) {
      const step = Math.abs(temperature - (last.get(id) ?? temperature));
      last.set(id, temperature);
      if (step >= 9) jumps++;
      else expect(step).toBeLessThan(0.7);
    }
    expect(jumps).toBeGreaterThan(50);
  });
});

describe('the status line', () => {
  const record = (isTTY: boolean) => {
    const written: string[] = [];
    let now = 0;
    const line = new StatusLine({ write: (text: string) => written.push(text), isTTY, columns: 40 }, () => now);
    return { line, written, wait: (ms: number) => (now += ms) };
  };

  it('is written over itself on a terminal, below the lines that stay', () => {
    const { line, written } = record(true);
    line.show('one');
    line.print('ALERT');
    expect(written).toEqual(['\r\x1b[Kone', '\r\x1b[KALERT\none']);
  });

  it('is a plain line now and then where output is piped', () => {
    const { line, written, wait } = record(false);
    line.show('one');
    wait(5_000);
    line.show('two');
    wait(100);
    line.show('three');
    line.print('ALERT');
    line.end();
    expect(written).toEqual(['two\n', 'ALERT\n', 'three\n']);
  });
});
