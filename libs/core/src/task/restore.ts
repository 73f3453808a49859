import { decodeEpochRecord, type EpochRecord } from '../checkpoint/epoch-record.js';
import { planRestore, type RestorePlan } from '../checkpoint/restore-plan.js';
import { errors } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import type { Offset } from '../model/brands.js';
import { RecordColumns } from '../model/record-columns.js';
import { type Clock, sleep } from '../ports/clock.js';
import type { Log, PartitionEnds } from '../ports/log.js';
import type { StateBackend, StateStore, StorePosition, StoreScope } from '../ports/state-backend.js';
import { decodeCatalogue, type StateCatalogue } from '../state/state-catalogue.js';
import { EPOCH_RECORD_KEY, STATE_CATALOGUE_KEY } from '../state/stored-key.js';
import type { Signal } from '../model/signal.js';
import type { ChangelogTopic } from './task-plan.js';

/**
 * Restore: brings a task's store to the end of its changelog, and reads from it where the task stands. The caller has claimed the
 * transactional id before (I3), so nobody else writes this changelog any more.
 *
 *   1. wait until the changelog's last stable offset is its high watermark: no predecessor's transaction is undecided
 *   2. open the store, and decide from facts whether it is a prefix of the changelog (checkpoint/restore-plan.ts)
 *   3. read the changelog from there to its end into the store, a chunk at a time, each with its position (S1)
 *   4. read the epoch record and the catalogue from the store; where that record names a snapshot, load it: the changelog holds no state
 *
 * Invariants: memory is bounded by one chunk and the reader's buffer, whatever the changelog's length. A crash at any point leaves a
 * store that is a prefix of the changelog, so the next restore goes on from there (I6). The position follows what was read, not the
 * last record, so a changelog that ends in control records, aborted or compacted-away records is read to its end.
 */
export interface RestoreParts {
  readonly log: Log;
  readonly backend: StateBackend;
  readonly clock: Clock;
  readonly scope: StoreScope;
  /** Why the local store must not be used, whatever it looks like; undefined if it may. */
  readonly distrust: string | undefined;
  readonly changelog: ChangelogTopic;
  /** How long step 1 waits, in milliseconds. */
  readonly stableTimeoutMs: number;
  readonly onPlan: (plan: RestorePlan) => void;
  readonly onProgress: (progress: RestoreProgress) => void;
  /** Raised by whatever the restore waits for: the reader, and a cancellation. */
  readonly signal: Signal;
  /** Asked between chunks: a task that is to stop does not finish its restore. */
  readonly isCanceled: () => boolean;
}

export interface RestoreProgress {
  readonly records: number;
  /** Changelog offsets read: more than records where it was compacted. */
  readonly offsets: number;
  /** Changelog offsets still to read. */
  readonly remaining: number;
}

export interface Restored {
  readonly store: StateStore;
  /** Undefined for a task that never committed. */
  readonly record: EpochRecord | undefined;
  readonly catalogue: StateCatalogue | undefined;
}

/** Bytes of changelog fetched ahead. */
const RESTORE_BUFFER_BYTES = 8 * 1024 * 1024;
/** Milliseconds between two looks at the end of the changelog in step 1. */
const STABLE_POLL_MS = 20;

/** Undefined if it was canceled; the store is closed then. */
export async function restore(parts: RestoreParts): Promise<Restored | undefined> {
  const ends = await stableEnds(parts);
  if (ends === undefined) return undefined;
  const { store, plan } = await openStore(parts, ends);
  try {
    const replayed = await replay(parts, store, plan, ends);
    if (replayed) {
      const truth = readTruth(parts, store, ends);
      const loaded = await loadSnapshot(parts, store, truth.record);
      if (loaded) return { store, ...truth };
    }
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
  await store.close();
  return undefined;
}

/** Step 1. @throws WeirError `restart-task` CHANGELOG_BLOCKED */
async function stableEnds({ log, clock, changelog, stableTimeoutMs, isCanceled }: RestoreParts): Promise<PartitionEnds | undefined> {
  const since = clock.monotonic();
  while (!isCanceled()) {
    const [ends] = await log.endPositions([changelog]);
    const { lastStable, highWatermark } = ends!;
    if (lastStable === highWatermark) return ends!;
    const waitedMs = clock.monotonic() - since;
    if (waitedMs >= stableTimeoutMs) {
      throw errors.changelogBlocked({ changelog: `${changelog.topic}-${changelog.partition}`, lastStable, highWatermark, waitedMs });
    }
    await sleep(clock, STABLE_POLL_MS);
  }
  return undefined;
}

/** What opening a store takes: a task's restore has it, and a standby. */
export type OpenParts = Pick<RestoreParts, 'log' | 'backend' | 'clock' | 'scope' | 'distrust' | 'changelog' | 'onPlan'>;

/** Step 2. A store that cannot be used is destroyed before a new one is built, and never half used. */
async function openStore(parts: RestoreParts, ends: PartitionEnds): Promise<{ readonly store: StateStore; readonly plan: RestorePlan }> {
  return makeUsable(parts, await openAny(parts), ends);
}

export interface OpenedStore {
  readonly store: StateStore;
  /** Why what lay there before is gone. */
  readonly damage: string | undefined;
}

/** Opens what lies there; what cannot be read, or must not be used, is destroyed. */
export async function openAny({ backend, scope, distrust }: OpenParts): Promise<OpenedStore> {
  let damage = distrust;
  try {
    if (damage !== undefined) await backend.destroy(scope);
    return { store: await backend.open(scope), damage };
  } catch (thrown) {
    if (!isWeirError(thrown, 'rebuild-state')) throw thrown;
    damage = thrown.message;
    await backend.destroy(scope);
    return { store: await backend.open(scope), damage };
  }
}

/** Decides whether an opened store is a prefix of the changelog, and takes an empty one in its place if it is not. */
export async function makeUsable(parts: OpenParts, { store, damage }: OpenedStore, ends: PartitionEnds): Promise<{ readonly store: StateStore; readonly plan: RestorePlan }> {
  const found = await decide(parts, store, ends);
  const plan: RestorePlan = damage !== undefined && found.type === 'rebuild' ? { ...found, reason: damage } : found;
  parts.onPlan(plan);
  if (plan.type !== 'rebuild' || store.position === undefined) return { store, plan };
  await store.close();
  await parts.backend.destroy(parts.scope);
  return { store: await parts.backend.open(parts.scope), plan };
}

/** Closes the store if the log cannot be asked: left open, it would be locked to every later attempt. */
async function decide({ log, clock, changelog }: OpenParts, store: StateStore, ends: PartitionEnds): Promise<RestorePlan> {
  const { position } = store;
  const { topicId, deleteRetentionMs } = changelog;
  try {
    const epochEnd = position === undefined ? undefined : await log.epochEnd(changelog, position.leaderEpoch);
    return planRestore({ position, ends, topicId, epochEnd, deleteRetentionMs, now: clock.wall() });
  } catch (thrown) {
    await store.close();
    throw thrown;
  }
}

/** Step 3. False if it was canceled. */
async function replay(parts: RestoreParts, store: StateStore, { from }: RestorePlan, ends: PartitionEnds): Promise<boolean> {
  const { log, changelog, clock, signal } = parts;
  const end = ends.lastStable;
  // Until its end is reached, the store is as old as what it is built on: tombstones that it has not come to may be as old (trap 8).
  const basis = store.position?.writtenAt ?? clock.wall();
  const positionAt = (next: Offset): StorePosition => {
    return { offset: next, topicId: changelog.topicId, leaderEpoch: ends.leaderEpoch, writtenAt: next < end ? basis : clock.wall() };
  };
  const reader = log.openReader({ wake: signal.raise, bufferBytes: RESTORE_BUFFER_BYTES });
  let records = 0;
  let position = from;
  try {
    if (position < end) reader.assign(changelog, position);
    while (position < end) {
      if (parts.isCanceled()) return false;
      const chunk = reader.take();
      if (chunk === undefined) {
        await signal.wait();
        continue;
      }
      position = chunk.nextOffset;
      records += chunk.records.count;
      await store.apply(chunk.records, positionAt(position));
      parts.onProgress({ records, offsets: position - from, remaining: Math.max(0, end - position) });
    }
    if (store.position === undefined && end > 0) {
      // An emptied changelog: the position says that this was seen.
      await store.apply(new RecordColumns(), positionAt(end));
    }
    parts.onProgress({ records, offsets: position - from, remaining: 0 });
    return true;
  } finally {
    await reader.close();
  }
}

/** Step 4. @throws WeirError `invalid` STATE_WITHOUT_OFFSETS, EPOCH_RECORD_UNREADABLE, STATE_INCOMPATIBLE */
function readTruth({ changelog }: RestoreParts, store: StateStore, ends: PartitionEnds): Omit<Restored, 'store'> {
  const name = `${changelog.topic}-${changelog.partition}`;
  const epochBytes = store.get(EPOCH_RECORD_KEY);
  const catalogueBytes = store.get(STATE_CATALOGUE_KEY);
  if (epochBytes === undefined) {
    // A loop, so that leaving it lets go of the scan.
    for (const _ of store.scan(Buffer.alloc(0))) throw errors.stateWithoutOffsets({ changelog: name, records: ends.lastStable - ends.start });
    return { record: undefined, catalogue: undefined };
  }
  return {
    record: decodeEpochRecord(epochBytes, name),
    catalogue: catalogueBytes === undefined ? undefined : decodeCatalogue(catalogueBytes, name),
  };
}

/**
 * Rest of step 4. False if it was canceled. A store is never used with what a backend of the other sort recorded: it would begin with no state.
 * @throws WeirError `invalid` STATE_BACKEND_CHANGED, SNAPSHOT_MISSING, SNAPSHOT_DAMAGED
 */
async function loadSnapshot({ backend, changelog, ...parts }: RestoreParts, { snapshots }: StateStore, record: EpochRecord | undefined): Promise<boolean> {
  if (record === undefined) return true;
  const { snapshot } = record;
  if (snapshot?.backend !== (snapshots === undefined ? undefined : backend.kind)) {
    const recorded = snapshot === undefined ? 'memory or rocksdb' : snapshot.backend;
    const place = snapshot === undefined ? 'the changelog' : 'snapshots';
    throw errors.stateBackendChanged({ changelog: `${changelog.topic}-${changelog.partition}`, recorded, configured: backend.kind, place });
  }
  if (snapshots === undefined || snapshot === undefined) return true;
  let loaded = 0;
  const finished = await snapshots.load(snapshot, (rows) => {
    loaded += rows;
    parts.onProgress({ records: loaded, offsets: loaded, remaining: Math.max(0, snapshot.rows - loaded) });
    return !parts.isCanceled();
  });
  return finished && !parts.isCanceled();
}
