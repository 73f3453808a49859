import { describe, expect, it } from '@jest/globals';
import type { ControlRecord, RoundOutcome } from '../control/control-record.js';
import { checkpointId } from '../model/brands.js';
import { RoundHistory } from './round-history.js';

const triggered = (id: number, at = 10 * id): ControlRecord => ({ type: 'round', round: { version: 1, type: 'triggered', id: checkpointId(id), at, broadcastEnds: [] } });
const ended = (id: number, outcome: RoundOutcome = 'completed', at = 10 * id + 4): ControlRecord => ({
  type: 'round',
  round: { version: 1, type: 'ended', id: checkpointId(id), at, outcome, durationMs: 4 },
});
const FIGURES = { bytes: 10, stateChanges: 2, durationMs: 5, alignmentMs: 1, stateBytes: 70 };
const acknowledged = (id: number, task: string): ControlRecord => ({
  type: 'report',
  report: { version: 1, task, replica: 'r', status: 'RUNNING', barrier: checkpointId(id), at: 10 * id + 2, figures: FIGURES },
});
const historyOf = (...records: readonly ControlRecord[]): RoundHistory => {
  const history = new RoundHistory();
  for (const record of records) history.take(record);
  return history;
};

describe('the history of rounds', () => {
  it('has of each its outcome, times and what its tasks took, the newest first', () => {
    const history = historyOf(triggered(1), acknowledged(1, '0-1'), acknowledged(1, '0-0'), ended(1), triggered(2), acknowledged(2, '0-0'));
    expect(history.overview()).toEqual([
      { id: 2, outcome: 'open', triggeredAt: 20, durationMs: undefined, tasks: [{ task: '0-0', acknowledgedAt: 22, ...FIGURES }] },
      {
        id: 1,
        outcome: 'completed',
        triggeredAt: 10,
        durationMs: 4,
        tasks: [
          { task: '0-0', acknowledgedAt: 12, ...FIGURES },
          { task: '0-1', acknowledgedAt: 12, ...FIGURES },
        ],
      },
    ]);
  });

  it('is of the last 10', () => {
    const history = historyOf(...Array.from({ length: 12 }, (_, i) => [triggered(i + 1), ended(i + 1)]).flat());
    expect(history.overview().map(({ id }) => id)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3]);
  });

  it('has an acknowledgement that came after the end of its round, and a round whose trigger was before this process', () => {
    const history = historyOf(ended(6, 'timed-out'), acknowledged(6, '0-1'), acknowledged(5, '0-1'));
    expect(history.overview()).toMatchObject([{ id: 6, outcome: 'timed-out', triggeredAt: 60, durationMs: 4, tasks: [{ task: '0-1' }] }]);
  });

  it('takes nothing from reports that tell of no commit', () => {
    const [round] = historyOf(triggered(1), { type: 'report', report: { version: 1, task: '0-0', replica: 'r', status: 'RUNNING', barrier: checkpointId(1), at: 1 } }).overview();
    expect(round?.tasks).toEqual([]);
  });
});
