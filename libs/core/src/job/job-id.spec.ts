import { describe, expect, it } from '@jest/globals';
import { jobIdOf } from './job-id.js';

describe('the id of a job', () => {
  it("is 32 hexadecimal digits, as Flink's clients want them, and the same in every process and version", () => {
    expect(jobIdOf('temperature-alerts', 'temperature-alerts')).toBe('e84d475118fbd51fe8e7773ff6c3a8d6');
  });

  it('differs by application and by name, also where they run together', () => {
    const ids = [jobIdOf('a', 'bc'), jobIdOf('ab', 'c'), jobIdOf('a', 'b'), jobIdOf('b', 'a')];
    expect(new Set(ids).size).toBe(4);
  });
});
