import { describe, expect, it } from '@jest/globals';
import { checkpointId, incarnation } from '../model/brands.js';
import type { ControlRecord, TaskReport } from './control-record.js';
import { ControlView } from './control-view.js';

const round = (id: number, type: 'triggered' | 'ended'): ControlRecord => {
  const both = { version: 1, id: checkpointId(id), at: 0 } as const;
  return { type: 'round', round: type === 'ended' ? { ...both, type, outcome: 'completed', durationMs: 1 } : { ...both, type, broadcastEnds: [] } };
};
const report = (replica: string, barrier: number, status: TaskReport['status'] = 'RUNNING'): ControlRecord => ({
  type: 'report',
  report: { version: 1, task: '0-0', replica, status, barrier: checkpointId(barrier), at: 0 },
});

describe('the view of the control topic', () => {
  it('has the newest round, and never goes back to an older one (V1)', () => {
    const view = new ControlView();
    expect(view.round).toBeUndefined();
    expect([view.take(round(3, 'triggered')), view.take(round(3, 'ended')), view.take(round(2, 'triggered'))]).toEqual([true, true, false]);
    expect(view.round).toMatchObject({ id: 3, type: 'ended' });
  });

  it('has the newest report of each task', () => {
    const view = new ControlView();
    view.take(report('a', 4));
    view.take(report('b', 4, 'DOWN'));
    expect(view.reportOf('0-0')).toMatchObject({ replica: 'b', status: 'DOWN' });
    expect(view.reportOf('0-1')).toBeUndefined();
  });

  it('keeps the highest barrier of a task, however late a lower one is told (V2)', () => {
    const view = new ControlView();
    view.take(report('b', 6));
    view.take(report('a', 5, 'DOWN'));
    expect(view.reportOf('0-0')).toMatchObject({ replica: 'a', status: 'DOWN', barrier: 6 });
  });

  const desired = (state: 'running' | 'cancelled' | 'stopped', by: string): ControlRecord => ({ type: 'desired', desired: { version: 1, state, command: by, at: 0 } });
  const command = (id: string): ControlRecord => ({ type: 'command', command: { version: 1, id, command: 'cancel', replica: 'r', at: 0 } });

  it('says that a job is to run unless something else was recorded (I8)', () => {
    const view = new ControlView();
    expect(view.shouldRun).toBe(true);
    const said = (['cancelled', 'running', 'stopped'] as const).map((state) => view.take(desired(state, 'c')) && view.shouldRun);
    expect(said).toEqual([false, true, false]);
  });

  it('says in which life the job is: the first, unless something else was recorded', () => {
    const view = new ControlView();
    expect(view.incarnation).toBe(0);
    view.take({ type: 'desired', desired: { version: 1, state: 'running', command: 'c', at: 0, incarnation: incarnation(2) } });
    expect(view.incarnation).toBe(2);
  });

  it('has a command pending until the desired state names it, and of several the newest', () => {
    const view = new ControlView();
    expect(view.pendingCommand).toBeUndefined();
    view.take(command('a'));
    view.take(command('b'));
    expect(view.pendingCommand).toMatchObject({ id: 'b' });
    view.take(desired('cancelled', 'a'));
    expect(view.pendingCommand).toMatchObject({ id: 'b' });
    view.take(desired('cancelled', 'b'));
    expect(view.pendingCommand).toBeUndefined();
  });
});
