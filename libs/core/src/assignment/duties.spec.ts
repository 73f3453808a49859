import { describe, expect, it } from '@jest/globals';
import type { TaskOrders } from './assign-tasks.js';
import { closed, NO_DUTIES, obey, overdueAt, reportOf, startOverdue, type Duties, type DutyStep } from './duties.js';

const TIMEOUT_MS = 1_000;
const orders = (run: readonly string[], awaited: readonly string[] = []): TaskOrders => ({ run, await: awaited.map((task) => ({ task, from: 'other' })), standby: [] });
const after = (...steps: ((duties: Duties) => DutyStep)[]): DutyStep =>
  steps.reduce<DutyStep>(({ duties }, step) => step(duties), { duties: NO_DUTIES, start: [], close: [] });
const told = (now: number, run: readonly string[], awaited: readonly string[] = []) => (duties: Duties) => obey(duties, orders(run, awaited), now);
const isClosed = (task: string) => (duties: Duties) => closed(duties, task);
const waited = (now: number) => (duties: Duties) => startOverdue(duties, now, TIMEOUT_MS);

describe('the duties of a replica', () => {
  it('start what is new, close what is gone, and leave alone what stays (D1)', () => {
    const first = after(told(0, ['a', 'b']));
    expect(first).toMatchObject({ start: ['a', 'b'], close: [] });
    const second = obey(first.duties, orders(['b', 'c']), 1);
    expect(second).toMatchObject({ start: ['c'], close: ['a'] });
    expect(reportOf(second.duties)).toEqual({ running: ['b', 'c'], leaving: ['a'], awaiting: [] });
    expect(after(() => second, told(2, ['b', 'c']))).toMatchObject({ start: [], close: [], duties: second.duties });
    expect(reportOf(closed(second.duties, 'a').duties).leaving).toEqual([]);
  });

  it('start a task that they are told to run while it is being closed only once it is closed (D4)', () => {
    const step = after(told(0, ['a']), told(1, []), told(2, ['a']));
    expect(step).toMatchObject({ start: [], close: [] });
    expect(reportOf(step.duties)).toEqual({ running: [], leaving: ['a'], awaiting: [] });
    expect(closed(step.duties, 'a')).toMatchObject({ start: ['a'] });
    expect(after(() => step, told(3, []), isClosed('a')).start).toEqual([]);
  });

  it('start what is awaited when it is handed over', () => {
    expect(after(told(0, [], ['a']), told(5, ['a']))).toMatchObject({ start: ['a'], close: [], duties: { awaiting: new Map() } });
  });

  it('wait for the handover timeout from the first time that they were told, however many generations come (D2)', () => {
    const waiting = after(told(100, [], ['a']), told(600, ['x'], ['a', 'b']), told(900, ['x'], ['b', 'a']));
    expect(overdueAt(waiting.duties, TIMEOUT_MS)).toBe(1_100);
    expect(startOverdue(waiting.duties, 1_099, TIMEOUT_MS).start).toEqual([]);
    const started = startOverdue(waiting.duties, 1_100, TIMEOUT_MS);
    expect(started.start).toEqual(['a']);
    expect(reportOf(started.duties)).toEqual({ running: ['x', 'a'], leaving: [], awaiting: ['b'] });
    expect(overdueAt(started.duties, TIMEOUT_MS)).toBe(1_600);
    expect(overdueAt(NO_DUTIES, TIMEOUT_MS)).toBeUndefined();
  });

  it('begin to wait anew for a task that was not theirs to await in between', () => {
    expect(overdueAt(after(told(100, [], ['a']), told(600, []), told(900, [], ['a'])).duties, TIMEOUT_MS)).toBe(1_900);
  });

  it('keep what they have started as overdue although orders from before still say to await it (D3)', () => {
    const step = after(told(0, [], ['a']), waited(TIMEOUT_MS), told(1_001, [], ['a']));
    expect(step).toMatchObject({ start: [], close: [] });
    expect(reportOf(step.duties)).toEqual({ running: ['a'], leaving: [], awaiting: [] });
  });

  it('do not start as overdue what they are closing themselves, but once it is closed (D4)', () => {
    const step = after(told(0, ['a']), told(0, [], ['b']), told(0, [], ['a', 'b']), waited(TIMEOUT_MS));
    expect(step.start).toEqual(['b']);
    expect(closed(step.duties, 'a').start).toEqual(['a']);
  });
});
