import { errors } from '../errors/errors.js';
import type { CommitFigures } from '../model/commit-figures.js';
import type { CheckpointId } from '../model/brands.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { PartitionOffset } from '../model/topic-partition.js';

/**
 * What the control topic of a job holds: one partition, compacted, so that of each key at least the newest record stays.
 *
 *   key             value                                           written by
 *   round           the newest round: triggered, or how it ended    the coordinator, in transactions that fence its predecessors
 *   task/<task>     the newest report of a task                     the replica that runs it, outside of transactions
 *
 * Values are JSON in UTF-8, each with its version. Keys and fields that this version does not know are passed over: a newer one may write
 * more. Added to version 1 since: `failures`, `restart` and `figures`, which may be left out.
 * Offsets are numbers, exact below 2^53; times are wall-clock milliseconds, for people only.
 */
export const CONTROL_VERSION = 1;

const ROUND_KEY = 'round';
const TASK_KEYS = 'task/';

export interface TriggeredRound {
  readonly version: typeof CONTROL_VERSION;
  readonly type: 'triggered';
  readonly id: CheckpointId;
  readonly at: number;
  /** How far broadcast inputs are to be read for it (R9). */
  readonly broadcastEnds: readonly PartitionOffset[];
  /** Rounds in a row before it that timed out. Left out where there are none. */
  readonly failures?: number;
}

export const ROUND_OUTCOMES = ['completed', 'abandoned', 'timed-out'] as const;
export type RoundOutcome = (typeof ROUND_OUTCOMES)[number];

export interface EndedRound {
  readonly version: typeof CONTROL_VERSION;
  readonly type: 'ended';
  readonly id: CheckpointId;
  readonly at: number;
  readonly outcome: RoundOutcome;
  readonly durationMs: number;
  /** Rounds in a row that timed out, this one included. Left out where there are none. */
  readonly failures?: number;
  /** Tasks that are to restart, for they have not committed its barrier and no further failure is tolerated. Left out where there are none. */
  readonly restart?: readonly string[];
}

export type RoundRecord = TriggeredRound | EndedRound;

/** Where a task stands, by the replica that runs it. */
export interface TaskReport {
  readonly version: typeof CONTROL_VERSION;
  /** Its name, see `taskName`. */
  readonly task: string;
  /** Of the process that says so: a new one at each start. */
  readonly replica: string;
  /** RUNNING: restored, assigned, reading. DOWN: anything else. */
  readonly status: 'RUNNING' | 'DOWN';
  /** The last barrier that it has committed: an acknowledgement, and a committed fact, whoever sends it. */
  readonly barrier: CheckpointId;
  readonly at: number;
  /** What the commit with that barrier took. Left out where the report tells of no commit. */
  readonly figures?: CommitFigures;
}

export type ControlRecord = { readonly type: 'round'; readonly round: RoundRecord } | { readonly type: 'report'; readonly report: TaskReport };

export function writeRound(out: RecordWriter, round: RoundRecord): void {
  write(out, ROUND_KEY, round, round.at);
}

export function writeReport(out: RecordWriter, report: TaskReport): void {
  write(out, TASK_KEYS + report.task, report, report.at);
}

function write(out: RecordWriter, key: string, value: unknown, timestamp: number): void {
  out.begin(timestamp);
  out.bytes.writeUtf8(key);
  out.keyDone();
  out.bytes.writeUtf8(JSON.stringify(value));
  out.valueDone();
  out.end();
}

/**
 * The record in a row of the control topic; undefined for a key that this version does not know, and for a tombstone.
 * @throws WeirError `invalid` CONTROL_RECORD_UNREADABLE
 */
export function decodeControlRecord(keyBytes: Buffer | null, value: Buffer | null, where: string): ControlRecord | undefined {
  const key = keyBytes?.toString('utf8') ?? '';
  if (value === null || (key !== ROUND_KEY && !key.startsWith(TASK_KEYS))) return undefined;
  const refuse = (problem: string, cause?: unknown): Error => errors.controlRecordUnreadable({ where, key, problem }, cause);
  let parsed: unknown;
  try {
    parsed = JSON.parse(value.toString('utf8'));
  } catch (thrown) {
    throw refuse('it is no JSON', thrown);
  }
  if (typeof parsed !== 'object' || parsed === null) throw refuse('it is no JSON object');
  const { version } = parsed as { readonly version?: unknown };
  if (version !== CONTROL_VERSION) throw refuse(`version ${String(version)}, and this Weir reads ${CONTROL_VERSION}`);
  if (key === ROUND_KEY) {
    if (!isRound(parsed)) throw refuse('it is no round');
    return { type: 'round', round: parsed };
  }
  if (!isReport(parsed) || TASK_KEYS + parsed.task !== key) throw refuse('it is no report of that task');
  return { type: 'report', report: parsed };
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;

function isRound(value: object): value is RoundRecord {
  const round = value as { [K in keyof TriggeredRound | keyof EndedRound]?: unknown };
  if (!isCount(round.id) || (round.failures !== undefined && !isCount(round.failures))) return false;
  if (round.type === 'ended') return ROUND_OUTCOMES.includes(round.outcome as RoundOutcome) && typeof round.durationMs === 'number' && isNames(round.restart);
  return round.type === 'triggered' && Array.isArray(round.broadcastEnds) && round.broadcastEnds.every(isPartitionOffset);
}

const isNames = (value: unknown): boolean => value === undefined || (Array.isArray(value) && value.every((name) => typeof name === 'string'));

function isPartitionOffset(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { topic, partition, offset } = value as { [K in keyof PartitionOffset]?: unknown };
  return typeof topic === 'string' && isCount(partition) && isCount(offset);
}

function isReport(value: object): value is TaskReport {
  const report = value as { [K in keyof TaskReport]?: unknown };
  const named = typeof report.task === 'string' && typeof report.replica === 'string';
  return named && isCount(report.barrier) && isFigures(report.figures) && (report.status === 'RUNNING' || report.status === 'DOWN');
}

function isFigures(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { bytes, stateChanges, durationMs, alignmentMs } = value as { [K in keyof CommitFigures]?: unknown };
  return [bytes, stateChanges, durationMs, alignmentMs].every((figure) => typeof figure === 'number' && figure >= 0);
}
