import { isWeirError, type Clock, type TopicPartition } from '@weir/core';
import type { Positions } from '../admin/positions.js';
import { wholeBatchBytes } from '../batch/record-set-reader.js';
import { errors } from '../errors.js';
import type { Cluster } from '../wire/cluster.js';
import { CODE, codeName, isRefused, isStaleLeader } from '../wire/error-codes.js';
import { APIS, type Role } from '../wire/wire.js';
import type { Cursor } from './cursor.js';
import { decodeFetch, encodeFetch, type FetchPartition, type FetchedPartition, UNKNOWN_EPOCH } from './fetch-messages.js';

/** Answers without anything, one after another, before a part of the log is believed to be empty: with their pauses, 300 ms and more. */
const GAP_ANSWERS = 6;
const NOTHING_CAME = 'nothing came, although the last stable offset is further on';

/**
 * Fetcher: keeps the cursors of all readers of one Log supplied, with one loop per broker. It owns requests, leaders and retries. It
 * does not own what was fetched (the cursor does), nor the reading of batches (`take` does, so that only bytes are held).
 *
 * A loop is not a task of its own: whenever something changes (a cursor comes, is resumed or has room again; an answer came; a pause
 * is over), `poke` plans one round, and a round sends what can be sent. A request waits at the broker until there is a byte for it.
 * While it waits, cursors that become ready must not wait with it: they go out on a second or third connection, a lane, whose waits
 * are shorter the fewer lanes are left. Once nothing comes any more, the lanes join in one long poll again.
 *
 * Invariants:
 * - F1. A cursor is in at most one request, and a partition at most once in a request; readers at the same position share it.
 * - F2. An answer counts only for cursors that still wait for it. Another `assign` is another cursor, so an old answer finds none.
 * - F3. Trouble of one partition delays no other, and is tried again with growing pauses. It ends in an error when the log says that
 *   trying is useless, or after READING_STUCK_MS; a topic that does not exist is waited for.
 * - F4. A small part of a large answer is copied, so that a slow reader keeps at most COPY_BELOW times what it has not read.
 * - F5. A cursor reads one topic: what it asks for goes by the topic's id, and another topic of that name ends it with an error.
 * - F6. Each request says of which leader epoch the batch before its position was. A log that does not hold that batch, for an unclean
 *   election took it, answers where it parts from what was read; that is a position outside the log.
 */
const LANE_WAITS_MS = [250, 50, 10] as const;
const MOST_ANSWER_BYTES = 16 * 1024 * 1024;
const READING_STUCK_MS = 120_000;
const COPY_BELOW = 4;

interface Entry {
  readonly request: FetchPartition;
  readonly cursors: Cursor[];
}

class BrokerLanes {
  readonly busy: boolean[] = LANE_WAITS_MS.map(() => false);
  /** Whether the last answer in the longest lane brought nothing. */
  isIdle = false;

  /**
   * The first free lane; undefined if there is none, or if the shorter ones should come back first, so that all cursors join.
   */
  free(): number | undefined {
    if (!this.busy[0] && this.isIdle && this.busy.includes(true)) return undefined;
    const lane = this.busy.indexOf(false);
    return lane < 0 ? undefined : lane;
  }
}

export class Fetcher {
  readonly #cursors = new Set<Cursor>();
  readonly #brokers = new Map<number, BrokerLanes>();
  #planned = false;
  #closed = false;
  #answers = 0;

  constructor(
    private readonly cluster: Cluster,
    private readonly positions: Positions,
    private readonly clock: Clock,
  ) {}

  add(cursor: Cursor): void {
    this.#cursors.add(cursor);
    this.poke();
  }

  remove(cursor: Cursor): void {
    cursor.end();
    this.#cursors.delete(cursor);
  }

  close(): void {
    this.#closed = true;
    for (const cursor of this.#cursors) cursor.end();
    this.#cursors.clear();
  }

  /** Something may be fetched now. Rounds of one turn of the event loop are one. */
  readonly poke = (): void => {
    if (this.#planned || this.#closed) return;
    this.#planned = true;
    this.clock.after(0, () => {
      this.#planned = false;
      if (!this.#closed) this.#round();
    });
  };

  #round(): void {
    const byNode = new Map<number, Cursor[]>();
    const homeless: Cursor[] = [];
    for (const cursor of this.#cursors) {
      if (!cursor.isFetchable) continue;
      const leader = this.cluster.leader(cursor.topic, cursor.partition);
      if (leader === undefined) homeless.push(cursor);
      else if (this.#isOfItsTopic(cursor)) {
        const group = byNode.get(leader.node);
        if (group === undefined) byNode.set(leader.node, [cursor]);
        else group.push(cursor);
      }
    }
    if (homeless.length > 0) void this.#findHomes(homeless);
    for (const [node, cursors] of byNode) this.#sendTo(node, cursors);
  }

  /** F5. */
  #isOfItsTopic(cursor: Cursor): boolean {
    const { topic } = cursor;
    const found = this.cluster.topicId(topic)!;
    const expected = (cursor.topicId ??= found);
    if (found === expected) return true;
    cursor.fail(errors.topicReplaced({ topic, expected, found }));
    cursor.wake();
    return false;
  }

  #sendTo(node: number, cursors: readonly Cursor[]): void {
    let lanes = this.#brokers.get(node);
    if (lanes === undefined) this.#brokers.set(node, (lanes = new BrokerLanes()));
    let left = cursors;
    while (left.length > 0) {
      const lane = lanes.free();
      if (lane === undefined) return;
      const { entries, rest } = this.#compose(left);
      void this.#exchange(node, lanes, lane, entries);
      left = rest;
    }
  }

  /** Puts cursors into one request; the rest wants other positions of the same partitions (F1). */
  #compose(cursors: readonly Cursor[]): { entries: Map<string, Entry>; rest: Cursor[] } {
    const inOrder = [...cursors].sort((a, b) => Number(b.mustLead) - Number(a.mustLead) || a.served - b.served);
    const entries = new Map<string, Entry>();
    const rest: Cursor[] = [];
    for (const cursor of inOrder) {
      const entry = entries.get(cursor.name);
      if (entry !== undefined && entry.request.position !== cursor.position) {
        rest.push(cursor);
        continue;
      }
      cursor.move('fetching');
      if (entry !== undefined) entry.cursors.push(cursor);
      else {
        const { topic, partition, position, lastEpoch } = cursor;
        const leaderEpoch = this.cluster.leader(topic, partition)?.epoch ?? UNKNOWN_EPOCH;
        const request = { topic, topicId: cursor.topicId!, partition, leaderEpoch, position, lastEpoch, maxBytes: cursor.fetchBytes };
        entries.set(cursor.name, { request, cursors: [cursor] });
      }
    }
    return { entries, rest };
  }

  async #exchange(node: number, lanes: BrokerLanes, lane: number, entries: ReadonlyMap<string, Entry>): Promise<void> {
    lanes.busy[lane] = true;
    const limits = { maxWaitMs: LANE_WAITS_MS[lane]!, maxBytes: MOST_ANSWER_BYTES };
    const role: Role = `fetch-${lane}`;
    const requests = [...entries.values()].map(({ request }) => request);
    let gotRecords = false;
    try {
      const answer = decodeFetch(await this.cluster.wire.send(node, role, APIS.fetch, encodeFetch(requests, limits)), requests);
      if (answer.error !== CODE.NONE) this.#allTroubled(entries, codeName(answer.error));
      for (const fetched of answer.partitions) {
        const entry = entries.get(`${fetched.topic}-${fetched.partition}`);
        if (entry === undefined) continue;
        if (fetched.records.length > 0) gotRecords = true;
        this.#deliver(entry, fetched, answer.bytes, entry.request === requests[0]);
      }
    } catch (thrown) {
      if (isWeirError(thrown, 'retry')) {
        for (const { topic, partition } of requests) this.cluster.forgetLeader(topic, partition);
        this.#allTroubled(entries, thrown.message);
      } else this.#forEach(entries, (cursor) => cursor.fail(thrown));
    } finally {
      lanes.busy[lane] = false;
      if (lane === 0 || gotRecords) lanes.isIdle = !gotRecords;
      this.#forEach(entries, (cursor) => {
        if (cursor.phase === 'fetching') cursor.move('ready');
      });
      this.#wake(entries);
      this.poke();
    }
  }

  #forEach(entries: ReadonlyMap<string, Entry>, act: (cursor: Cursor) => void): void {
    for (const { cursors } of entries.values()) cursors.forEach(act);
  }

  #wake(entries: ReadonlyMap<string, Entry>): void {
    const wakes = new Set<() => void>();
    this.#forEach(entries, (cursor) => {
      if (cursor.phase !== 'ended' && cursor.queue.length > 0) wakes.add(cursor.wake);
    });
    for (const wake of wakes) wake();
  }

  #deliver(entry: Entry, fetched: FetchedPartition, answerBytes: number, wasFirst: boolean): void {
    // F4. One copy serves all cursors of the entry.
    const small = fetched.records.length > 0 && fetched.records.length * COPY_BELOW < answerBytes;
    const records = small ? Buffer.from(fetched.records) : fetched.records;
    for (const cursor of entry.cursors) {
      if (cursor.phase !== 'fetching') continue; // F2
      if (fetched.error === CODE.NONE) this.#accept(cursor, fetched, records, wasFirst);
      else this.#refuse(cursor, fetched.error);
    }
  }

  #accept(cursor: Cursor, fetched: FetchedPartition, records: Buffer, wasFirst: boolean): void {
    if (fetched.divergesAt !== undefined) return this.#diverged(cursor, fetched.divergesAt, fetched.start);
    const isEmpty = records.length === 0 && fetched.lastStable > cursor.position;
    if (!isEmpty) cursor.recovered();
    if (fetched.lastStable >= 0) cursor.lastStable = fetched.lastStable;
    if (records.length > 0 && wholeBatchBytes(records, 0) !== 0) {
      cursor.mustLead = false;
      cursor.served = ++this.#answers;
      cursor.addRecords(records, fetched.aborted);
    } else if (records.length > 0 && wasFirst) {
      cursor.fail(this.#cutBatch(cursor, records));
    } else if (records.length > 0) {
      cursor.mustLead = true;
    } else if (isEmpty) {
      cursor.mustLead = true;
      // The first partition of a request is never left out because the answer is full.
      if (wasFirst) this.#onEmpty(cursor, fetched.lastStable);
    }
  }

  /** F6. As Kafka's own consumer: only a log that ends before the position has lost what was read. */
  #diverged(cursor: Cursor, end: number, start: number): void {
    const { topic, partition, position } = cursor;
    cursor.lastEpoch = UNKNOWN_EPOCH;
    if (end < position) cursor.fail(errors.offsetOutOfRange({ topic, partition, offset: position, start, end }));
  }

  #cutBatch({ topic, partition, position }: Cursor, records: Buffer): Error {
    const problem = `the broker sent ${records.length} bytes of it although it came first, which is less than one batch`;
    return errors.batchDamaged({ topic, partition, offset: position, problem });
  }

  #refuse(cursor: Cursor, code: number): void {
    const { topic, partition } = cursor;
    if (code === CODE.OFFSET_OUT_OF_RANGE) {
      void this.#checkRange(cursor);
    } else if (isRefused(code)) {
      cursor.fail(errors.callRefused({ act: 'Fetch', object: cursor.name, answer: codeName(code), detail: '' }));
    } else {
      if (isStaleLeader(code)) this.cluster.forgetLeader(topic, partition);
      this.#troubled(cursor, codeName(code));
    }
  }

  /** Out of range: an error that says what the log holds. A leader that has just been elected can say so wrongly; then fetching goes on. */
  async #checkRange(cursor: Cursor): Promise<void> {
    cursor.rest(codeName(CODE.OFFSET_OUT_OF_RANGE), this.poke);
    cursor.lastEpoch = UNKNOWN_EPOCH; // a leader that no longer knows that epoch says the same
    const at: TopicPartition = cursor;
    try {
      const [start] = await this.positions.list('earliest', [at]);
      const [end] = await this.positions.list('high watermark', [at]);
      if (cursor.position < start!.offset || cursor.position > end!.offset) {
        const { topic, partition, position } = cursor;
        cursor.fail(errors.offsetOutOfRange({ topic, partition, offset: position, start: start!.offset, end: end!.offset }));
        if (cursor.phase !== 'ended') cursor.wake();
      }
    } catch (thrown) {
      if (isWeirError(thrown, 'retry')) return; // asked again when fetching says so again
      cursor.fail(thrown);
      if (cursor.phase !== 'ended') cursor.wake();
    }
  }

  /**
   * Nothing came although something should be there: compaction has removed all that was left of the log up to its last stable offset, or
   * the broker could not say just now (by its sources it reads nothing while it does not know the place of that offset in its files).
   * Records that are there must not be passed over (L6), so it is asked again and again, with growing pauses, before it is believed.
   */
  #onEmpty(cursor: Cursor, lastStable: number): void {
    if (cursor.emptyUpTo(lastStable) >= GAP_ANSWERS) void this.#checkGap(cursor);
    else cursor.rest(NOTHING_CAME, this.poke);
  }

  /**
   * The log holds nothing from the cursor's position on, so it seems. That is passed over only if the broker has that part itself: one that
   * keeps it in tiered storage answers with nothing, too, when it could not get at it in time. Nothing is fetched meanwhile.
   */
  async #checkGap(cursor: Cursor): Promise<void> {
    cursor.move('waiting');
    try {
      const [local] = await this.positions.list('earliest local', [cursor]);
      if (cursor.phase !== 'waiting') return;
      if (cursor.position < local!.offset) {
        cursor.rest(NOTHING_CAME, this.poke);
        return;
      }
      cursor.passEmpty();
      cursor.mustLead = false;
      cursor.recovered();
      cursor.move('ready');
      cursor.wake();
      this.poke();
    } catch (thrown) {
      if (isWeirError(thrown, 'retry')) cursor.rest(thrown.message, this.poke);
      else {
        cursor.fail(thrown);
        if (cursor.phase !== 'ended') cursor.wake();
      }
    }
  }

  #allTroubled(entries: ReadonlyMap<string, Entry>, trouble: string): void {
    this.#forEach(entries, (cursor) => {
      if (cursor.phase === 'fetching') this.#troubled(cursor, trouble);
    });
  }

  #troubled(cursor: Cursor, trouble: string): void {
    cursor.rest(trouble, this.poke);
    const afterMs = Math.round(this.clock.monotonic() - (cursor.troubledSince ?? 0));
    if (afterMs < READING_STUCK_MS || cursor.phase !== 'waiting') return; // F3
    const { topic, partition, position } = cursor;
    cursor.fail(errors.readingStuck({ topic, partition, offset: position, afterMs, last: trouble }));
    cursor.wake();
  }

  /** Looks for the leaders of partitions that have none. */
  async #findHomes(cursors: readonly Cursor[]): Promise<void> {
    for (const cursor of cursors) cursor.move('fetching');
    let trouble = 'it has no leader';
    try {
      await this.cluster.refresh([...new Set(cursors.map(({ topic }) => topic))]);
    } catch (thrown) {
      trouble = thrown instanceof Error ? thrown.message : String(thrown);
      if (!isWeirError(thrown, 'retry')) for (const cursor of cursors) cursor.fail(thrown);
    }
    for (const cursor of cursors) {
      if (cursor.phase !== 'fetching') {
        if (cursor.phase === 'halted') cursor.wake();
        continue;
      }
      if (this.cluster.leader(cursor.topic, cursor.partition) !== undefined) cursor.move('ready');
      else this.#troubled(cursor, trouble);
      // A topic that does not exist is no trouble: somebody may create it.
      if (this.cluster.isMissing(cursor.topic)) cursor.troubledSince = undefined;
    }
    this.poke();
  }
}
