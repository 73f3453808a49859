import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '@weir/testing';
import { type CommandRecord, type ControlRecord, CONTROL_VERSION } from '../control/control-record.js';
import { JobCommands } from './job-commands.js';

class Rig {
  readonly appended: CommandRecord[] = [];
  readonly ended: string[] = [];
  readonly commands = new JobCommands({ clock: new ManualClock(), replica: 'r', append: (command) => void this.appended.push(command) });

  give(name: string): CommandRecord {
    this.commands.give('cancel').then(
      () => this.ended.push(name),
      (error: Error) => this.ended.push(`${name}: ${error.message}`),
    );
    return this.appended.at(-1)!;
  }

  async read(...records: ControlRecord[]): Promise<string[]> {
    for (const record of records) this.commands.take(record);
    await Promise.resolve();
    return this.ended;
  }
}

const there = (command: CommandRecord): ControlRecord => ({ type: 'command', command });
const done = ({ id }: CommandRecord): ControlRecord => ({ type: 'desired', desired: { version: CONTROL_VERSION, state: 'cancelled', command: id, at: 0 } });

describe('a command that this replica was asked for', () => {
  it('is settled once the desired state names it, not when it is in the topic', async () => {
    const rig = new Rig();
    const mine = rig.give('mine');
    expect(await rig.read(there(mine))).toEqual([]);
    expect(await rig.read(done(mine))).toEqual(['mine']);
  });

  it('is settled once a later command overtakes it, and not by an earlier one', async () => {
    const rig = new Rig();
    const earlier = { ...rig.give('first'), id: 'earlier' };
    const [mine] = rig.appended;
    expect(await rig.read(there(earlier), done(earlier), there(mine!))).toEqual([]);
    expect(await rig.read(there({ ...earlier, id: 'later' }))).toEqual(['first']);
  });

  it('is given up when nothing is read any more, and so is what is asked for after that', async () => {
    const rig = new Rig();
    rig.give('mine');
    rig.commands.close();
    rig.give('late');
    await Promise.resolve();
    expect(await rig.read()).toEqual([expect.stringContaining('CONTROL_CLOSED'), expect.stringContaining('CONTROL_CLOSED')]);
  });
});
