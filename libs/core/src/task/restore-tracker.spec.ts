import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { offset, taskIndex } from '../model/brands.js';
import type { TelemetryEvent } from '../ports/telemetry.js';
import { RestoreTracker } from './restore-tracker.js';

class Rig {
  readonly clock = new ManualClock();
  readonly events: TelemetryEvent[] = [];
  readonly tracker = new RestoreTracker({ job: 'job', subTopology: 0, task: taskIndex(1) }, this.clock, { emit: (event) => void this.events.push(event) });

  get reports(): unknown[] {
    return this.events.filter((event) => event.type === 'restore-progress').map(({ remaining, records, elapsedMs, rate, etaMs }) => ({ remaining, records, elapsedMs, rate, etaMs }));
  }
}

describe('the progress of a restore', () => {
  it('is unknown before it is planned', () => {
    expect(new Rig().tracker.overview()).toBeUndefined();
  });

  it('tells whether local state is used', () => {
    const rig = new Rig();
    rig.tracker.planned({ type: 'from-position', from: offset(5) });
    expect(rig.tracker.overview()).toEqual({ fromLocalState: true, rebuildReason: undefined, records: 0, remaining: 0, etaMs: 0 });
    rig.tracker.planned({ type: 'rebuild', from: offset(0), reason: undefined });
    expect(rig.tracker.overview()).toMatchObject({ fromLocalState: false });
    expect(rig.events).toEqual([]);
  });

  it('tells why a store is rebuilt, and nothing of one that is built for the first time', () => {
    const rig = new Rig();
    rig.tracker.planned({ type: 'rebuild', from: offset(0), reason: undefined });
    expect(rig.events).toEqual([]);
    rig.tracker.planned({ type: 'rebuild', from: offset(0), reason: 'it is damaged' });
    expect(rig.events).toEqual([{ type: 'store-rebuild', job: 'job', subTopology: 0, task: 1, reason: 'it is damaged' }]);
    expect(rig.tracker.overview()).toMatchObject({ fromLocalState: false, rebuildReason: 'it is damaged' });
  });

  it('is reported once a second, and at its end with nothing remaining', async () => {
    const rig = new Rig();
    rig.tracker.planned({ type: 'from-position', from: offset(0) });
    for (let i = 1; i <= 4; i++) {
      await rig.clock.advance(500);
      rig.tracker.progressed({ records: i * 100, offsets: i * 100, remaining: 400 - i * 100 });
    }
    expect(rig.reports).toEqual([
      { remaining: 200, records: 200, elapsedMs: 1_000, rate: 200, etaMs: 1_000 },
      { remaining: 0, records: 400, elapsedMs: 2_000, rate: 200, etaMs: 0 },
    ]);
    expect(rig.tracker.overview()).toMatchObject({ records: 400, remaining: 0, etaMs: 0 });
  });

  it('foretells its end by offsets, of which compaction leaves few records', async () => {
    const rig = new Rig();
    rig.tracker.planned({ type: 'rebuild', from: offset(0), reason: undefined });
    await rig.clock.advance(1_000);
    rig.tracker.progressed({ records: 10, offsets: 1_000, remaining: 3_000 });
    expect(rig.reports).toEqual([{ remaining: 3_000, records: 10, elapsedMs: 1_000, rate: 10, etaMs: 3_000 }]);
  });

  it('has no end in sight before any time passed, and never divides by nothing', () => {
    const rig = new Rig();
    rig.tracker.planned({ type: 'rebuild', from: offset(0), reason: undefined });
    rig.tracker.progressed({ records: 5, offsets: 5, remaining: 10 });
    rig.tracker.progressed({ records: 0, offsets: 0, remaining: 0 });
    expect(rig.reports).toEqual([{ remaining: 0, records: 0, elapsedMs: 0, rate: 0, etaMs: 0 }]);
  });
});
