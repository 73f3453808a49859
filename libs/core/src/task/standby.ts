import { planRestore, type RestorePlan } from '../checkpoint/restore-plan.js';
import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { type Offset, offset } from '../model/brands.js';
import { RecordColumns } from '../model/record-columns.js';
import { Signal } from '../model/signal.js';
import { partitionName } from '../model/topic-partition.js';
import { type Cancel, type Clock, sleep } from '../ports/clock.js';
import type { Log, LogChunk, LogReader, PartitionEnds } from '../ports/log.js';
import type { StateBackend, StateStore, StorePosition } from '../ports/state-backend.js';
import type { Telemetry } from '../ports/telemetry.js';
import { makeUsable, openAny } from './restore.js';
import { canMoveStandby, type StandbyStatus } from './standby-status.js';
import { asError } from './task-end.js';
import { scopeOf, taskName, type TaskPlan } from './task-plan.js';

/**
 * A standby: one attempt to keep a copy of a task's state by following its changelog, so that this replica can run the task in seconds. It
 * writes nothing to the log and commits nothing, so it needs no permit, and any number of them may follow one changelog.
 *
 * It owns its store, while it lasts, and a reader of the changelog. It does not own which copies are kept here, when one begins anew, nor
 * how a task comes by the store (job/standbys.ts).
 *
 *   1. open the store, and compare it with the changelog as a restore does (restore.ts): go on from its position, or rebuild it
 *   2. read the changelog into it, up to the end that was last seen (B1), a chunk at a time, each with its position in one write
 *   3. look at the end again: as soon as there is something behind it, but at most every LOOK_MS, and every IDLE_MS in any case
 *   4. released: the store as it stands goes to the task, which claims its transactional id and restores the rest by its normal start. One
 *      promoted while behind has a longer rest to read, and that is all (I3)
 *
 * Invariants
 *   B1. Nothing is applied that lies behind the last stable offset last seen. A changelog has one writer, with one transaction at a time, so
 *       that end is the end of a transaction: once the copy is there it holds whole transactions (I1). On the way it may be inside of one,
 *       as a restore may: they are all committed, and its position says how far it is (I6). To gather each transaction first would need the
 *       memory of the largest; in a compacted changelog, whose older epoch records are gone, that is all of it.
 *   B2. The position's leader epoch and time are those of a look whose end it has not passed. So an epoch that ended earlier is never taken
 *       for that of later records, and tombstones behind the position are younger than its time (decisions/0001).
 *   B3. A copy that has not reached the end for longer than tombstones are kept, or whose records are no more in the log, is rebuilt.
 *   B4. A store that stands behind the last stable offset is waited for, not rebuilt: the task that left it there knew that its commit was
 *       decided before the marker of it had come to the changelog.
 *   Memory is bounded by one chunk and the reader's buffer.
 */
export interface StandbyHost {
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export type StandbyEnd =
  | { readonly type: 'closed' }
  /** Open, as the copy left it. */
  | { readonly type: 'released'; readonly store: StateStore }
  | { readonly type: 'failed'; readonly error: Error };

/** Milliseconds between two looks at the end of a changelog that grows. */
const LOOK_MS = 500;
/** The same where nothing comes. */
const IDLE_MS = 60_000;
/** Milliseconds between two looks while B4 waits, and how long it does: a marker comes within the timeout of its transaction. */
const STABLE_POLL_MS = 50;
const STABLE_GRACE_MS = 10_000;
/** Bytes of changelog fetched ahead. */
const BUFFER_BYTES = 2 * 1024 * 1024;
/** Rows applied before tasks and I/O get their turn. */
const TURN_ROWS = 5_000;
/** A store at rest gets a new time after this part of the time that tombstones are kept, so that it is not rebuilt for its age alone. */
const REFRESH_PART = 4;

interface Look {
  readonly ends: PartitionEnds;
  /** End of the epoch of the copy's position; undefined if the log knows no such epoch. */
  readonly epochEnd: Offset | undefined;
  /** Wall-clock milliseconds before the log was asked. */
  readonly at: number;
}

type LookState =
  | { readonly type: 'none' }
  | { readonly type: 'under-way' }
  | { readonly type: 'done'; readonly look: Look }
  | { readonly type: 'failed'; readonly error: unknown };

export class Standby {
  readonly name: string;
  readonly #signal = new Signal();
  #status: StandbyStatus = 'OPENING';
  #statusSince: number;
  #ending: 'close' | 'release' | undefined;
  #store: StateStore | undefined;
  #reader: LogReader | undefined;
  /** Read, and behind the end that was seen. */
  #held: LogChunk | undefined;
  #seen!: Look;
  #position = offset(0);
  /** Up to which the log is known to be decided, by looks and by what was read. */
  #lastStable: Offset | undefined;
  /** Wall-clock milliseconds at which the copy held everything that there was; before it did, the age of what it is built on. */
  #asOf: number;
  #look: LookState = { type: 'none' };
  #lookedAt = 0;
  #nextLook: { readonly at: number; readonly cancel: Cancel } | undefined;
  #records = 0;
  #hasFollowed = false;

  constructor(
    readonly plan: TaskPlan,
    private readonly host: StandbyHost,
    /** Why the local store must not be used, if the attempt before found so. */
    private readonly distrust?: string,
  ) {
    this.name = taskName(plan);
    this.#statusSince = this.#asOf = host.clock.wall();
  }

  get status(): StandbyStatus {
    return this.#status;
  }

  get statusSince(): number {
    return this.#statusSince;
  }

  /** The changelog offset up to which the copy holds everything; undefined while that is not known. */
  get position(): number | undefined {
    return this.#lastStable === undefined ? undefined : this.#position;
  }

  /** Offsets of the changelog that it lacks, as far as it knows; undefined while it does not. */
  get lag(): number | undefined {
    return this.#lastStable === undefined ? undefined : Math.max(0, this.#lastStable - this.#position);
  }

  /** Whether it has held everything at least once. */
  get hasFollowed(): boolean {
    return this.#hasFollowed;
  }

  /** Read from the changelog by this attempt. */
  get records(): number {
    return this.#records;
  }

  /** Runs the attempt to its end; never rejects. */
  async run(): Promise<StandbyEnd> {
    try {
      await this.#open();
      if (this.#ending === undefined) await this.#follow();
      return await this.#end();
    } catch (thrown) {
      await this.#dispose();
      this.#move('FAILED');
      return { type: 'failed', error: asError(thrown) };
    }
  }

  /** Ends it, and closes the store. */
  close(): void {
    this.#ending = 'close';
    this.#signal.raise();
  }

  /** Ends it, and gives the store away as it stands, open. */
  release(): void {
    this.#ending ??= 'release';
    this.#signal.raise();
  }

  // ---- 1. ----

  async #open(): Promise<void> {
    const { plan, host, distrust } = this;
    const { changelog } = plan;
    const parts = { ...host, scope: scopeOf(plan), distrust, changelog, onPlan: (chosen: RestorePlan) => this.#onPlan(chosen) };
    const opened = await openAny(parts);
    this.#store = opened.store;
    this.#asOf = opened.store.position?.writtenAt ?? host.clock.wall();
    const look = await this.#lookBehind(opened.store.position?.offset ?? offset(0));
    if (look === undefined) return;
    const { store, plan: chosen } = await makeUsable(parts, opened, look.ends);
    this.#store = store;
    this.#position = chosen.from;
    if (chosen.type === 'rebuild') this.#asOf = look.at;
    this.#move('CATCHING_UP');
    this.#reader = host.log.openReader({ wake: this.#signal.raise, bufferBytes: BUFFER_BYTES });
    this.#reader.assign(changelog, chosen.from);
    this.#take(look);
  }

  /** B4. Undefined if it is to end. */
  async #lookBehind(position: Offset): Promise<Look | undefined> {
    const { clock } = this.host;
    const patienceMs = this.plan.settings.checkpointing.transactionTimeout + STABLE_GRACE_MS;
    const since = clock.monotonic();
    while (this.#ending === undefined) {
      const look = await this.#seeEnds();
      const { lastStable, highWatermark } = look.ends;
      // Behind the high watermark there is nothing to wait for: it is another log, or a part of it is gone.
      if (lastStable >= position || highWatermark < position || clock.monotonic() - since >= patienceMs) return look;
      await sleep(clock, STABLE_POLL_MS);
    }
    return undefined;
  }

  #onPlan(chosen: RestorePlan): void {
    const { job, subTopology, task } = this.plan;
    const reason = chosen.type === 'rebuild' ? chosen.reason : undefined;
    if (reason !== undefined) this.host.telemetry.emit({ type: 'store-rebuild', job, subTopology, task, reason });
  }

  // ---- 2. ----

  async #follow(): Promise<void> {
    let rows = 0;
    while (this.#ending === undefined) {
      this.#takeUpLook();
      if (this.#isAtRestForLong()) await this.#apply(new RecordColumns(), this.#position);
      const chunk = this.#held ?? this.#reader!.take();
      this.#held = chunk;
      if (chunk === undefined || chunk.nextOffset > this.#seen.ends.lastStable) {
        if (chunk !== undefined) this.#told(chunk.lastStable);
        this.#lookWithin(chunk === undefined ? IDLE_MS : LOOK_MS); // 3.
        await this.#signal.wait();
        continue;
      }
      this.#held = undefined;
      const { count } = chunk.records;
      await this.#apply(chunk.records, chunk.nextOffset);
      this.#records += count;
      rows += count;
      if (rows < TURN_ROWS) continue;
      rows = 0;
      await sleep(this.host.clock, 0);
    }
  }

  /** B1, B2. */
  async #apply(rows: RecordColumns, next: Offset): Promise<void> {
    const { ends, at } = this.#seen;
    if (next > ends.lastStable) throw errors.invariantBroken({ invariant: 'B1', facts: `the copy of ${this.name} is to go to ${next}, and ${ends.lastStable} was seen` });
    const isAtEnd = next >= ends.lastStable;
    await this.#store!.apply(rows, this.#positionAt(next, isAtEnd ? at : this.#asOf));
    this.#position = next;
    if (isAtEnd) this.#reached(at);
  }

  #positionAt(next: Offset, writtenAt: number): StorePosition {
    return { offset: next, topicId: this.plan.changelog.topicId, leaderEpoch: this.#seen.ends.leaderEpoch, writtenAt };
  }

  #reached(at: number): void {
    this.#asOf = at;
    this.#hasFollowed = true;
    if (this.#status === 'CATCHING_UP') this.#move('FOLLOWING');
  }

  /** Whether the time of a store that needs no more rows has become old. */
  #isAtRestForLong(): boolean {
    const { position } = this.#store!;
    if (position === undefined || this.#position < this.#seen.ends.lastStable) return false;
    return this.#asOf - position.writtenAt > this.plan.changelog.deleteRetentionMs / REFRESH_PART;
  }

  // ---- 3. ----

  /** Sees to it that the end is looked at this long after the look before. The look goes on beside the loop. */
  #lookWithin(ms: number): void {
    if (this.#look.type !== 'none') return;
    const { clock } = this.host;
    const at = this.#lookedAt + ms;
    if (this.#nextLook !== undefined && this.#nextLook.at <= at) return;
    this.#nextLook?.cancel();
    this.#nextLook = { at, cancel: clock.after(Math.max(0, at - clock.monotonic()), () => this.#beginLook()) };
  }

  #beginLook(): void {
    this.#nextLook = undefined;
    this.#look = { type: 'under-way' };
    const settled = (look: LookState): void => {
      this.#look = look;
      this.#signal.raise();
    };
    this.#seeEnds().then(
      (look) => settled({ type: 'done', look }),
      (error: unknown) => settled({ type: 'failed', error }),
    );
  }

  async #seeEnds(): Promise<Look> {
    const { log, clock } = this.host;
    const { changelog } = this.plan;
    const at = clock.wall();
    this.#lookedAt = clock.monotonic();
    const [ends] = await log.endPositions([changelog]);
    const known = this.#lastStable === undefined ? undefined : this.#seen.ends.leaderEpoch;
    const isSame = known === undefined || known === ends!.leaderEpoch;
    return { ends: ends!, epochEnd: isSame ? ends!.highWatermark : await log.epochEnd(changelog, known), at };
  }

  /** A log that cannot be asked now is asked again; whether it can be read is for the reader to say. */
  #takeUpLook(): void {
    const state = this.#look;
    if (state.type === 'done' || state.type === 'failed') this.#look = { type: 'none' };
    if (state.type === 'failed' && !isWeirError(state.error, 'retry') && !isWeirError(state.error, 'restart-task')) throw state.error;
    if (state.type !== 'done' || state.look.ends.lastStable < this.#seen.ends.lastStable) return; // a leader that does not know its end yet
    this.#check(state.look);
    this.#take(state.look);
  }

  /** B3. @throws WeirError `rebuild-state` COPY_OUTDATED */
  #check({ ends, epochEnd }: Look): void {
    const { topic, topicId, partition, deleteRetentionMs } = this.plan.changelog;
    const position = this.#positionAt(this.#position, this.#asOf);
    const plan = planRestore({ position, ends, topicId, epochEnd, deleteRetentionMs, now: this.host.clock.wall() });
    if (plan.type === 'from-position') return;
    throw errors.copyOutdated({ changelog: partitionName(topic, partition), reason: plan.reason ?? 'it holds nothing' });
  }

  #take(look: Look): void {
    this.#seen = look;
    this.#told(look.ends.lastStable);
    if (this.#position >= look.ends.lastStable) this.#reached(look.at);
  }

  #told(lastStable: Offset): void {
    if (this.#lastStable === undefined || lastStable > this.#lastStable) this.#lastStable = lastStable;
  }

  // ---- 4. ----

  async #end(): Promise<StandbyEnd> {
    const store = this.#store!;
    if (this.#ending === 'release') {
      this.#store = undefined;
      await this.#dispose();
      this.#move('PROMOTED');
      return { type: 'released', store };
    }
    await this.#dispose();
    this.#move('CLOSED');
    return { type: 'closed' };
  }

  /** Whatever fails: what it has is only a copy. */
  async #dispose(): Promise<void> {
    this.#nextLook?.cancel();
    for (const open of [this.#reader, this.#store]) {
      try {
        await open?.close();
      } catch {
        // A store that cannot be closed says so to whoever opens it next.
      }
    }
  }

  #move(to: StandbyStatus): void {
    const from = this.#status;
    if (!canMoveStandby(from, to)) throw errors.invariantBroken({ invariant: 'standby lifecycle', facts: `${this.name} moves from ${from} to ${to}` });
    this.#status = to;
    this.#statusSince = this.host.clock.wall();
    const { job, subTopology, task } = this.plan;
    this.host.telemetry.emit({ type: 'standby-status', job, subTopology, task, from, to, records: this.#records, lag: this.lag ?? 0 });
  }
}
