import { describe, expect, it } from '@jest/globals';
import { costsOf, type CpuProfile } from './cpu-profile.js';

const frame = (functionName: string, url: string, lineNumber = 9) => ({ functionName, url, lineNumber });

const PROFILE: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('run', 'file:///home/me/weir/libs/core/dist/task/task.js'), children: [6] },
    { id: 2, callFrame: frame('send', 'file:///home/me/weir/node_modules/kafkajs/src/network/connection.js') },
    { id: 3, callFrame: frame('(idle)', '', -1) },
    { id: 4, callFrame: frame('(garbage collector)', '', -1) },
    { id: 5, callFrame: frame('run', 'file:///home/me/weir/libs/core/dist/task/task.js') },
    { id: 6, callFrame: frame('', '', -1) },
  ],
  samples: [1, 5, 2, 3, 4, 6],
  timeDeltas: [2_000, 1_000, 1_000, 90_000, 500, 500],
};

describe('the costs of a profile', () => {
  const costs = costsOf(PROFILE);

  it('leave idling out', () => {
    expect(costs.busyMs).toBe(5);
  });

  it('add up one function that was called from several places, and name it with its place', () => {
    expect(costs.functions[0]).toEqual({ name: 'run  libs/core/task/task.js:10', selfMs: 3, share: 0.6 });
  });

  it('name native code without a name by its caller', () => {
    expect(costs.functions.map(({ name }) => name)).toContain('(anonymous) for run');
  });

  it('are told by package', () => {
    expect(costs.areas.map(({ name }) => name)).toEqual(['libs/core', 'kafkajs', '(garbage collector)', 'native code and V8']);
  });
});
