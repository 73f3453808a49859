import { errors } from '../errors/errors.js';
import type { CheckpointId, Incarnation, Offset } from '../model/brands.js';
import type { SnapshotReference } from '../ports/state-backend.js';

/**
 * The epoch record: the truth about where a task stands. Each commit writes one as the last record of its changelog batch, under a
 * reserved key, so it is visible exactly when the state, the outputs and the group's offsets of that commit are (I2). Group offsets
 * expire and are never read as the truth; a changelog with state and without an epoch record is an error, never a reset.
 *
 * version 1: JSON in UTF-8, fields as below, offsets as numbers (exact below 2^53). The first had no `partitions` in their inputs.
 * version 2: as 1, and `snapshot`. Written only where there is one, so that a Weir that knows no snapshots refuses it instead of
 *            beginning with no state.
 */
export type EpochRecord = EpochRecordFields & ({ readonly version: 1; readonly snapshot?: undefined } | { readonly version: 2; readonly snapshot: SnapshotReference });

interface EpochRecordFields {
  readonly incarnation: Incarnation;
  /** The task's own last barrier; 0 before the first. */
  readonly barrier: CheckpointId;
  /** What the next element of a list state draws (state/sequence.ts): above what every committed element drew. */
  readonly sequence: number;
  /** Offset of the next record to read, by input topic and partition. */
  readonly inputs: readonly EpochInput[];
}

export interface EpochInput {
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly offset: Offset;
  /** Last barrier seen from each upstream task, for inputs that are repartition topics: index is the upstream task. Empty for sources. */
  readonly barriers: readonly CheckpointId[];
  /** Of the whole topic, by which keys were dealt out to tasks. */
  readonly partitions?: number;
}

export const EPOCH_RECORD_VERSION = 1;
export const SNAPSHOT_RECORD_VERSION = 2;

/** The record of an epoch whose state is in a snapshot. */
export const withSnapshot = (record: EpochRecord, snapshot: SnapshotReference): EpochRecord => ({ ...record, version: SNAPSHOT_RECORD_VERSION, snapshot });

export const encodeEpochRecord = (record: EpochRecord): Buffer => Buffer.from(JSON.stringify(record), 'utf8');

/** @throws WeirError `invalid` EPOCH_RECORD_UNREADABLE */
export function decodeEpochRecord(bytes: Buffer, changelog: string): EpochRecord {
  const refuse = (problem: string, cause?: unknown): Error => errors.epochRecordUnreadable({ changelog, problem }, cause);
  let parsed: { [K in keyof EpochRecord]?: unknown } | null;
  try {
    parsed = JSON.parse(bytes.toString('utf8')) as typeof parsed;
  } catch (thrown) {
    throw refuse('it is no JSON', thrown);
  }
  if (typeof parsed !== 'object' || parsed === null) throw refuse('it is no JSON object');
  if (parsed.version !== EPOCH_RECORD_VERSION && parsed.version !== SNAPSHOT_RECORD_VERSION) {
    throw refuse(`version ${String(parsed.version)}, and this Weir reads ${EPOCH_RECORD_VERSION} and ${SNAPSHOT_RECORD_VERSION}`);
  }
  if (!isCount(parsed.incarnation) || !isCount(parsed.barrier) || !isCount(parsed.sequence)) throw refuse('incarnation, barrier or sequence is no number');
  if (!Array.isArray(parsed.inputs) || !parsed.inputs.every(isInput)) throw refuse('its inputs are damaged');
  if (parsed.version === SNAPSHOT_RECORD_VERSION && !isReference(parsed.snapshot)) throw refuse('its snapshot is damaged');
  return parsed as EpochRecord;
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isInput(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const input = value as { [K in keyof EpochInput]?: unknown };
  const named = typeof input.topic === 'string' && typeof input.topicId === 'string' && (input.partitions === undefined || isCount(input.partitions));
  return named && isCount(input.partition) && isCount(input.offset) && Array.isArray(input.barriers) && input.barriers.every(isCount);
}

function isReference(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { backend, files, kept, rows } = value as { [K in keyof SnapshotReference]?: unknown };
  return typeof backend === 'string' && isCount(rows) && [files, kept].every((names) => Array.isArray(names) && names.every((name) => typeof name === 'string'));
}
