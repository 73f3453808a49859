import type { Offset } from '../model/brands.js';
import type { PartitionEnds } from '../ports/log.js';
import type { StorePosition } from '../ports/state-backend.js';

/**
 * Whether a task's local store can be used, decided from facts alone. It can if it is a prefix of the changelog as it is now, and if
 * everything behind that prefix can still be read:
 *
 *   from-position: the changelog from `from` on supplies the rest (nothing, if `from` is its end)
 *   rebuild:       the store is destroyed, and the whole changelog read
 */
export type RestorePlan = { readonly type: 'from-position'; readonly from: Offset } | { readonly type: 'rebuild'; readonly from: Offset; readonly reason: string | undefined };

export interface RestoreFacts {
  /** Undefined for a store that holds nothing: it is built, and no reason is needed. */
  readonly position: StorePosition | undefined;
  readonly ends: PartitionEnds;
  readonly topicId: string;
  /** End of what the log wrote up to and in the position's leader epoch; undefined if it knows no such epoch. */
  readonly epochEnd: Offset | undefined;
  readonly deleteRetentionMs: number;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export function planRestore(facts: RestoreFacts): RestorePlan {
  const { position, ends } = facts;
  if (position === undefined) return { type: 'rebuild', from: ends.start, reason: undefined };
  const reason = reasonToRebuild(position, facts);
  return reason === undefined ? { type: 'from-position', from: position.offset } : { type: 'rebuild', from: ends.start, reason };
}

function reasonToRebuild(position: StorePosition, { ends, topicId, epochEnd, deleteRetentionMs, now }: RestoreFacts): string | undefined {
  if (position.topicId !== topicId) return `it belongs to another topic of that name (id ${position.topicId}, now ${topicId})`;
  if (position.offset > ends.lastStable) return `its position ${position.offset} is beyond the changelog's end ${ends.lastStable}`;
  if (position.offset < ends.start) return `its position ${position.offset} is below the changelog's start ${ends.start}`;
  if (epochEnd === undefined || epochEnd < position.offset) {
    return `the changelog was truncated: leader epoch ${position.leaderEpoch} ends at ${epochEnd ?? 'no known offset'}, below position ${position.offset}`;
  }
  // Tombstones behind the position may be gone once they are older than delete.retention.ms, and then deleted keys would come back.
  // Every tombstone behind it is younger than the store, so the store's age bounds theirs. If nothing was committed since, its age does
  // not matter: an epoch record ends each commit and is never compacted away, so a commit since then shows as a longer log.
  const age = now - position.writtenAt;
  if (age > deleteRetentionMs && ends.lastStable > position.offset + MARKER) {
    return `it was written ${age} ms ago, and tombstones are kept for ${deleteRetentionMs} ms: deleted keys might come back`;
  }
  return undefined;
}

/** The one offset that a commit's marker takes behind its epoch record: a store at the end of the log stands below it. */
const MARKER = 1;
