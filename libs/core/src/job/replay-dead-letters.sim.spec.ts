import { describe, expect, it } from '@jest/globals';
import { InMemoryCluster, LIFELIKE, ManualClock } from '@weir/testing';
import { ByteWriter } from '../model/byte-writer.js';
import { writeDeadLetterHeaders } from '../model/dead-letter.js';
import { decodeHeaders, type RecordHeader } from '../model/headers.js';
import { RecordWriter } from '../model/record-columns.js';
import { isWeirError } from '../errors/weir-error.js';
import { type DeadLetterReplay, replayDeadLetters, replayId } from './replay-dead-letters.js';

const OWN: readonly RecordHeader[] = [{ key: 'trace', value: Buffer.from('7') }];

class ReplayRig {
  readonly clock: ManualClock;
  readonly cluster: InMemoryCluster;
  #offset = 0;

  constructor(seed = 1, network: object = {}) {
    this.clock = new ManualClock({ seed });
    this.cluster = new InMemoryCluster({ clock: this.clock, seed, ...network });
    this.cluster.createTopic('in', 4);
    this.cluster.createTopic('dead', 2);
  }

  /** A dead letter of a record of `topic`. */
  put(value: string | null, partition: number, topic = 'in', key: Buffer | null = Buffer.from('k')): void {
    const out = new ByteWriter();
    writeDeadLetterHeaders({ job: 'j', operator: 'o', topic, partition, offset: this.#offset++, errorCode: 'E', error: 'e' }, out);
    const headers = [...OWN, ...decodeHeaders(out.buffer, 0, out.length)];
    this.cluster.produce('dead', partition % 2, [{ key, value: value === null ? null : Buffer.from(value), timestamp: 5_000, headers }]);
  }

  /** Undefined if a planned fault has killed it. */
  async replay(clientId = 'replay'): Promise<DeadLetterReplay | undefined> {
    const clock = this.clock.process();
    const log = this.cluster.log({ clock, clientId });
    let end: { readonly result: DeadLetterReplay } | { readonly error: unknown } | undefined;
    replayDeadLetters(log, clock, 'dead').then(
      (result) => (end = { result }),
      (error: unknown) => (end = { error }),
    );
    await this.clock.waitUntil(() => end !== undefined || !log.isAlive);
    const isAlive = log.isAlive;
    log.kill();
    clock.kill();
    if (!isAlive || end === undefined) return undefined;
    if ('error' in end) throw end.error;
    return end.result;
  }

  /** Values put back, by partition. */
  get back(): (readonly string[])[] {
    return [0, 1, 2, 3].map((partition) => this.cluster.committedRecords('in', partition).map(({ value }) => String(value)));
  }
}

const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  const thrown: unknown = await promise.catch((error: unknown) => error);
  return isWeirError(thrown) ? thrown.code : String(thrown);
};

describe('the replay of dead letters', () => {
  it('puts each back where it came from, with key, value, timestamp and its own headers', async () => {
    const rig = new ReplayRig();
    rig.put('a', 3);
    rig.put(null, 0, 'in', null);
    expect(await rig.replay()).toEqual({ replayed: 2, others: 0 });
    const [first] = rig.cluster.committedRecords('in', 3);
    expect([String(first!.key), String(first!.value), first!.timestamp, first!.headers]).toEqual(['k', 'a', 5_000, OWN]);
    const [second] = rig.cluster.committedRecords('in', 0);
    expect([second!.key, second!.value]).toEqual([null, null]);
  });

  it('puts nothing back twice when it is run again, and what has come since once', async () => {
    const rig = new ReplayRig();
    for (const value of ['a', 'b', 'c']) rig.put(value, 1);
    await rig.replay();
    expect(await rig.replay()).toEqual({ replayed: 0, others: 0 });
    rig.put('d', 1);
    expect(await rig.replay()).toEqual({ replayed: 1, others: 0 });
    expect(rig.back[1]).toEqual(['a', 'b', 'c', 'd']);
  });

  it('leaves records alone that are no dead letters, and says how many', async () => {
    const rig = new ReplayRig();
    rig.cluster.produce('dead', 0, [{ key: null, value: Buffer.from('x'), timestamp: 1, headers: [...OWN] }]);
    rig.put('a', 0);
    expect(await rig.replay()).toEqual({ replayed: 1, others: 1 });
    expect(rig.back).toEqual([['a'], [], [], []]);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])('puts each back exactly once, in order, although it is killed on the way: seed %i', async (seed) => {
    const rig = new ReplayRig(seed, LIFELIKE);
    const expected: string[][] = [[], [], [], []];
    const faults = rig.cluster.faults.randomly({
      points: ['append:send', 'append:applied', 'commit:send', 'commit:applied', 'commit:replied', 'openWriter:applied', 'fetch:replied'],
      probability: 0.1,
      action: () => ({ type: 'kill' }),
    });
    let runs = 0;
    for (let round = 0; round < 6; round++) {
      for (let i = 0; i < 30; i++) {
        const partition = i % 4;
        expected[partition]!.push(`${round}-${i}`);
        rig.put(`${round}-${i}`, partition);
      }
      for (let done: unknown; done === undefined; runs++) done = await rig.replay();
    }
    faults.remove();
    expect(await rig.replay()).toEqual({ replayed: 0, others: 0 });
    expect(rig.back).toEqual(expected);
    expect([runs > 6, rig.cluster.openTransactions()]).toEqual([true, []]);
  });

  it('puts nothing back twice although the marks of the run before are still on their way when it begins', async () => {
    const rig = new ReplayRig(1, { markerMs: [400, 900], travelMs: [1, 2] });
    for (const value of ['a', 'b']) rig.put(value, 1);
    const fault = rig.cluster.faults.at('commit:applied', { type: 'kill' }, {});
    expect(await rig.replay()).toBeUndefined();
    fault.remove();
    expect(await rig.replay()).toEqual({ replayed: 0, others: 0 });
    expect(rig.back[1]).toEqual(['a', 'b']);
  });

  it('says so, and puts nothing back, while a transaction of someone else in the topic does not end', async () => {
    const rig = new ReplayRig();
    rig.put('a', 1);
    const writer = await rig.clock.settled(rig.cluster.log({ clock: rig.clock, clientId: 'job' }).openWriter({ transactionalId: 'job', transactionTimeoutMs: 900_000 }));
    const hanging = new RecordWriter();
    hanging.add(1, null, Buffer.from('x'));
    const transaction = writer.begin();
    await rig.clock.settled(transaction.append([{ topic: 'dead', partition: 1, records: hanging.columns }]));
    expect(await codeOf(rig.replay())).toBe('DEAD_LETTERS_UNDECIDED');
    expect(rig.back[1]).toEqual([]);
    await rig.clock.settled(transaction.commit());
    expect(await rig.replay()).toEqual({ replayed: 1, others: 1 });
  });

  it('ends what another run left open, and fences one that still goes', async () => {
    const rig = new ReplayRig();
    rig.put('a', 0);
    let other: Promise<unknown> | undefined;
    const fault = rig.cluster.faults.at('commit:send', { type: 'run', run: () => void (other ??= rig.cluster.log({ clock: rig.clock, clientId: 'second' }).openWriter({ transactionalId: replayId('dead'), transactionTimeoutMs: 1_000 })) }, {});
    const first = await codeOf(rig.replay('first'));
    await rig.clock.settled(other!);
    fault.remove();
    expect(first).toContain('FENCED');
    expect(rig.back[0]).toEqual([]);
    expect(await rig.replay()).toEqual({ replayed: 1, others: 0 });
  });

  it('says what is missing: its topic, or the place that a dead letter is of', async () => {
    const rig = new ReplayRig();
    rig.cluster.createTopic('small', 1);
    rig.put('a', 0);
    rig.put('b', 2, 'small');
    const thrown: unknown = await rig.replay().catch((error: unknown) => error);
    expect(isWeirError(thrown) && thrown.message).toContain('dead partition 0 at offset 1: it is of small partition 2, and that topic has 1 partitions.');
    rig.cluster.deleteTopic('dead');
    expect(await codeOf(rig.replay())).toBe('DEAD_LETTERS_MISSING');
  });
});
