import { packRows, type PackedRows } from './packed-rows.js';
import { isVisible, type StoredBatch, type TransactionMark } from './partition-log.js';

/**
 * Compaction as Kafka's log cleaner does it, as a pure function over the batches below a point.
 *
 * - Of each key the latest committed record stays, at its offset.
 * - A tombstone (null value) that is the latest of its key stays for the topic's `delete.retention.ms` from the first compaction
 *   that met it; a later compaction removes it. Its batch keeps that time.
 * - Records of aborted transactions go at once. A marker goes like a tombstone, once its transaction has no record left here.
 * - The last batch below the point stays, if need be without rows, so that readers' positions can move over the hole: as the cleaner
 *   keeps the last batch of a producer.
 *
 * Nothing at or above the point is touched, and no offset changes (P3 of partition-log.ts). Source: Kafka's LogCleaner and KIP-534.
 */
export interface CompactionOptions {
  /** Only batches that end below this offset are touched: at most the last stable offset. */
  readonly below: number;
  /** Wall-clock time, in milliseconds. */
  readonly now: number;
  readonly deleteRetentionMs: number;
}

export function compacted(batches: readonly StoredBatch[], options: CompactionOptions): StoredBatch[] {
  const end = batches.findIndex((batch) => batch.lastOffset >= options.below);
  const dirty = end === -1 ? batches : batches.slice(0, end);
  const latest = latestOffsets(dirty);
  const withoutData = dirty.map((batch) => (batch.control === undefined ? keepLatest(batch, latest, options) : batch));
  const withData = new Set(withoutData.filter((batch) => batch.rows.columns.count > 0).map((batch) => batch.transaction));
  const kept = withoutData.flatMap((batch, i): StoredBatch[] => {
    if (i === dirty.length - 1) return [batch];
    if (batch.control !== undefined) return keepMarker(batch, withData, options);
    return batch.rows.columns.count > 0 ? [batch] : [];
  });
  return [...kept, ...batches.slice(dirty.length)];
}

function latestOffsets(batches: readonly StoredBatch[]): Map<string, number> {
  const latest = new Map<string, number>();
  for (const batch of batches) {
    if (!isVisible(batch)) continue;
    for (let row = 0; row < batch.rows.columns.count; row++) latest.set(keyOf(batch.rows, row), batch.rows.columns.offset[row]!);
  }
  return latest;
}

function keepLatest(batch: StoredBatch, latest: ReadonlyMap<string, number>, options: CompactionOptions): StoredBatch {
  if (!isVisible(batch)) return { ...batch, rows: packRows(batch.rows.columns, () => false) };
  const { columns } = batch.rows;
  const expired = batch.deleteHorizon !== undefined && options.now >= batch.deleteHorizon;
  let tombstones = 0;
  const rows = packRows(columns, (row) => {
    if (latest.get(keyOf(batch.rows, row)) !== columns.offset[row]) return false;
    if (columns.value(row) !== null) return true;
    if (expired) return false;
    tombstones++;
    return true;
  });
  return { ...batch, rows, deleteHorizon: tombstones === 0 ? undefined : (batch.deleteHorizon ?? options.now + options.deleteRetentionMs) };
}

function keepMarker(marker: StoredBatch, withData: ReadonlySet<TransactionMark | undefined>, options: CompactionOptions): StoredBatch[] {
  if (withData.has(marker.transaction)) return [marker];
  if (marker.deleteHorizon === undefined) return [{ ...marker, deleteHorizon: options.now + options.deleteRetentionMs }];
  return options.now >= marker.deleteHorizon ? [] : [marker];
}

/** Bytes of a key as text: equal exactly when the bytes are. A compacted topic takes no record without one. */
const keyOf = (rows: PackedRows, row: number): string => (rows.columns.key(row) ?? Buffer.alloc(0)).toString('latin1');
