import { describe, expect, it } from '@jest/globals';
import { checkpointId, incarnation, offset } from '../model/brands.js';
import { RecordWriter } from '../model/record-columns.js';
import { type CommandRecord, type ControlRecord, decodeControlRecord, type DesiredRecord, type RoundRecord, type TaskReport, writeCommand, writeDesired, writeReport, writeRound } from './control-record.js';

const triggered: RoundRecord = { version: 1, type: 'triggered', id: checkpointId(7), at: 5, broadcastEnds: [{ topic: 'limits', partition: 0, offset: offset(12) }] };
const ended: RoundRecord = { version: 1, type: 'ended', id: checkpointId(7), at: 9, outcome: 'completed', durationMs: 4 };
const report: TaskReport = { version: 1, task: '0-3', replica: 'r1', status: 'RUNNING', barrier: checkpointId(6), at: 3 };
const withState: TaskReport = { ...report, figures: { bytes: 10, stateChanges: 2, durationMs: 5.5, alignmentMs: 1, stateBytes: 99 } };
const notTolerated: RoundRecord = { ...ended, outcome: 'timed-out', failures: 2, restart: ['0-3'] };
const acknowledged: TaskReport = { ...report, figures: { bytes: 10, stateChanges: 2, durationMs: 5.5, alignmentMs: 1 } };

const cancelled: DesiredRecord = { version: 1, state: 'cancelled', command: 'c1', at: 4 };
const stopped: DesiredRecord = { version: 1, state: 'stopped', command: 'c2', at: 4, savepoint: 'file:///s/1' };
const deleting: DesiredRecord = { ...cancelled, incarnation: incarnation(1), deletes: { topics: ['app-0-0-changelog'], transactionalIds: ['app-0-0'] } };
const command: CommandRecord = { version: 1, id: 'c1', command: 'cancel', replica: 'r1', at: 3 };

function written(write: (out: RecordWriter) => void): { readonly key: Buffer; readonly value: Buffer } {
  const out = new RecordWriter();
  write(out);
  return { key: Buffer.from(out.columns.key(0)!), value: Buffer.from(out.columns.value(0)!) };
}
const decoded = (key: string, value: string | null): ControlRecord | undefined =>
  decodeControlRecord(Buffer.from(key), value === null ? null : Buffer.from(value), 'app-control-0');

describe('a control record', () => {
  it.each([
    ['a trigger', (out: RecordWriter) => writeRound(out, triggered), { type: 'round', round: triggered }],
    ['the end of a round', (out: RecordWriter) => writeRound(out, ended), { type: 'round', round: ended }],
    ['a desired state', (out: RecordWriter) => writeDesired(out, cancelled), { type: 'desired', desired: cancelled }],
    ['that of a stop', (out: RecordWriter) => writeDesired(out, stopped), { type: 'desired', desired: stopped }],
    ['that of a cancellation that deletes the state', (out: RecordWriter) => writeDesired(out, deleting), { type: 'desired', desired: deleting }],
    ['a command', (out: RecordWriter) => writeCommand(out, command), { type: 'command', command }],
    ['a report', (out: RecordWriter) => writeReport(out, report), { type: 'report', report }],
    ['the end of a round that is not tolerated', (out: RecordWriter) => writeRound(out, notTolerated), { type: 'round', round: notTolerated }],
    ['an acknowledgement with the size of the state', (out: RecordWriter) => writeReport(out, withState), { type: 'report', report: withState }],
    ['an acknowledgement', (out: RecordWriter) => writeReport(out, acknowledged), { type: 'report', report: acknowledged }],
  ])('comes back as it was written: %s', (_, write, expected) => {
    const { key, value } = written(write);
    expect(decodeControlRecord(key, value, 'app-control-0')).toEqual(expected);
  });

  it('has these keys and these bytes, so that a version that is written finds what was written before', () => {
    const round = written((out) => writeRound(out, ended));
    expect([round.key.toString(), round.value.toString()]).toEqual(['round', '{"version":1,"type":"ended","id":7,"at":9,"outcome":"completed","durationMs":4}']);
    const told = written((out) => writeReport(out, report));
    const failed = written((out) => writeRound(out, notTolerated));
    expect(failed.value.toString()).toEqual('{"version":1,"type":"ended","id":7,"at":9,"outcome":"timed-out","durationMs":4,"failures":2,"restart":["0-3"]}');
    const after = written((out) => writeRound(out, { ...triggered, broadcastEnds: [], failures: 2 }));
    expect(after.value.toString()).toEqual('{"version":1,"type":"triggered","id":7,"at":5,"broadcastEnds":[],"failures":2}');
    const measured = written((out) => writeReport(out, acknowledged));
    expect(measured.value.toString()).toEqual(
      '{"version":1,"task":"0-3","replica":"r1","status":"RUNNING","barrier":6,"at":3,"figures":{"bytes":10,"stateChanges":2,"durationMs":5.5,"alignmentMs":1}}',
    );
    const desired = written((out) => writeDesired(out, cancelled));
    expect([desired.key.toString(), desired.value.toString()]).toEqual(['desired', '{"version":1,"state":"cancelled","command":"c1","at":4}']);
    expect(written((out) => writeDesired(out, deleting)).value.toString()).toEqual(
      '{"version":1,"state":"cancelled","command":"c1","at":4,"incarnation":1,"deletes":{"topics":["app-0-0-changelog"],"transactionalIds":["app-0-0"]}}',
    );
    const asked = written((out) => writeCommand(out, command));
    expect([asked.key.toString(), asked.value.toString()]).toEqual(['command', '{"version":1,"id":"c1","command":"cancel","replica":"r1","at":3}']);
    expect([told.key.toString(), told.value.toString()]).toEqual(['task/0-3', '{"version":1,"task":"0-3","replica":"r1","status":"RUNNING","barrier":6,"at":3}']);
  });

  it('is passed over if its key is not known, and so is a tombstone', () => {
    expect([decoded('manifest/4', '{}'), decoded('round', null), decodeControlRecord(null, Buffer.from('{}'), 'app-control-0')]).toEqual([undefined, undefined, undefined]);
  });

  it.each([
    ['no JSON', 'round', 'x', 'it is no JSON'],
    ['no object', 'round', 'null', 'it is no JSON object'],
    ['a newer version', 'round', '{"version":2}', 'version 2, and this Weir reads 1'],
    ['an unknown kind of round', 'round', '{"version":1,"type":"paused","id":1}', 'it is no round'],
    ['an id that is none', 'round', '{"version":1,"type":"triggered","id":-1,"broadcastEnds":[]}', 'it is no round'],
    ['ends that are none', 'round', '{"version":1,"type":"triggered","id":1,"broadcastEnds":[{"topic":"a"}]}', 'it is no round'],
    ['an unknown outcome', 'round', '{"version":1,"type":"ended","id":1,"outcome":"lost","durationMs":1}', 'it is no round'],
    ['a report under the key of another task', 'task/0-1', '{"version":1,"task":"0-2","replica":"r","status":"DOWN","barrier":0}', 'it is no report of that task'],
    ['a count of failures that is none', 'round', '{"version":1,"type":"triggered","id":1,"broadcastEnds":[],"failures":-1}', 'it is no round'],
    ['tasks to restart that are none', 'round', '{"version":1,"type":"ended","id":1,"outcome":"timed-out","durationMs":1,"restart":[1]}', 'it is no round'],
    ['figures that are none', 'task/0-1', '{"version":1,"task":"0-1","replica":"r","status":"RUNNING","barrier":0,"figures":{"bytes":1}}', 'it is no report of that task'],
    ['a desired state that there is not', 'desired', '{"version":1,"state":"paused","command":"c"}', 'it is no desired state'],
    ['an incarnation that is none', 'desired', '{"version":1,"state":"running","command":"c","incarnation":-1}', 'it is no desired state'],
    ['topics to delete that are none', 'desired', '{"version":1,"state":"cancelled","command":"c","deletes":{"topics":[1],"transactionalIds":[]}}', 'it is no desired state'],
    ['a deletion without its ids', 'desired', '{"version":1,"state":"cancelled","command":"c","deletes":{"topics":[]}}', 'it is no desired state'],
    ['a command that there is not', 'command', '{"version":1,"id":"c","command":"pause"}', 'it is no command'],
    ['a size of state that is none', 'task/0-1', '{"version":1,"task":"0-1","replica":"r","status":"RUNNING","barrier":0,"figures":{"bytes":1,"stateChanges":1,"durationMs":1,"alignmentMs":1,"stateBytes":-1}}', 'it is no report of that task'],
    ['an unknown status', 'task/0-1', '{"version":1,"task":"0-1","replica":"r","status":"FINE","barrier":0}', 'it is no report of that task'],
  ])('is refused with where it lies and why: %s', (_, key, value, problem) => {
    expect(() => decoded(key, value)).toThrow(`The record "${key}" in control topic app-control-0 cannot be read: ${problem}.`);
  });
});
