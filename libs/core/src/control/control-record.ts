import { errors } from '../errors/errors.js';
import type { CommitFigures } from '../model/commit-figures.js';
import type { CheckpointId, Incarnation } from '../model/brands.js';
import type { RecordWriter } from '../model/record-columns.js';
import type { PartitionOffset } from '../model/topic-partition.js';

/**
 * What the control topic of a job holds: one partition, compacted, so that of each key at least the newest record stays.
 *
 *   key             value                                           written by
 *   round           the newest round: triggered, or how it ended    the coordinator, in transactions that fence its predecessors
 *   desired         whether the job is to run (I8)                  the coordinator, in the same transactions
 *   command         the newest command to start or cancel it        the replica that was asked, outside of transactions
 *   task/<task>     the newest report of a task                     the replica that runs it, outside of transactions
 *
 * A command means nothing by itself: the coordinator carries out the newest one, once, and `desired` names it. *
 * Values are JSON in UTF-8, each with its version. Keys and fields that this version does not know are passed over: a newer one may write
 * more. Added to version 1 since: `failures`, `restart`, `figures` and its `stateBytes`, which may be left out; the keys `desired` and `command`;
 * of `desired` the fields `incarnation` and `deletes`.
 * Offsets are numbers, exact below 2^53; times are wall-clock milliseconds, for people only.
 */
export const CONTROL_VERSION = 1;

const ROUND_KEY = 'round';
const TASK_KEYS = 'task/';
const DESIRED_KEY = 'desired';
const COMMAND_KEY = 'command';

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

export const DESIRED_STATES = ['running', 'cancelled', 'stopped'] as const;
export type DesiredState = (typeof DESIRED_STATES)[number];

/** Whether the job is to run. It stays as it is, however its topics and its group age and whatever starts again, until the next command. */
export interface DesiredRecord {
  readonly version: typeof CONTROL_VERSION;
  /** Only `running` runs. `stopped` is `cancelled` behind a savepoint. */
  readonly state: DesiredState;
  /** The command that it carries out. */
  readonly command: string;
  readonly at: number;
  /** Where it was stopped with; left out where there is none. */
  readonly savepoint?: string;
  /** In which life the job runs, or will run again. Left out in the first, which is 0. */
  readonly incarnation?: Incarnation;
  /** What of the former life is still to be deleted (job/state-deletion.ts). Left out where nothing is. */
  readonly deletes?: DeletedState;
}

/** What a life of the job has in the log. */
export interface DeletedState {
  readonly topics: readonly string[];
  /** By which its tasks commit. */
  readonly transactionalIds: readonly string[];
}

export const COMMANDS = ['start', 'cancel'] as const;

export interface CommandRecord {
  readonly version: typeof CONTROL_VERSION;
  readonly id: string;
  readonly command: (typeof COMMANDS)[number];
  /** Which was asked. */
  readonly replica: string;
  readonly at: number;
}

export type ControlRecord =
  | { readonly type: 'round'; readonly round: RoundRecord }
  | { readonly type: 'report'; readonly report: TaskReport }
  | { readonly type: 'desired'; readonly desired: DesiredRecord }
  | { readonly type: 'command'; readonly command: CommandRecord };

export function writeRound(out: RecordWriter, round: RoundRecord): void {
  write(out, ROUND_KEY, round, round.at);
}

export function writeDesired(out: RecordWriter, desired: DesiredRecord): void {
  write(out, DESIRED_KEY, desired, desired.at);
}

export function writeCommand(out: RecordWriter, command: CommandRecord): void {
  write(out, COMMAND_KEY, command, command.at);
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
  if (value === null || (![ROUND_KEY, DESIRED_KEY, COMMAND_KEY].includes(key) && !key.startsWith(TASK_KEYS))) return undefined;
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
  if (key === DESIRED_KEY) {
    if (!isDesired(parsed)) throw refuse('it is no desired state');
    return { type: 'desired', desired: parsed };
  }
  if (key === COMMAND_KEY) {
    if (!isCommand(parsed)) throw refuse('it is no command');
    return { type: 'command', command: parsed };
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

function isDesired(value: object): value is DesiredRecord {
  const { state, command, savepoint, incarnation, deletes } = value as { [K in keyof DesiredRecord]?: unknown };
  if ((incarnation !== undefined && !isCount(incarnation)) || (deletes !== undefined && !isDeleted(deletes))) return false;
  return DESIRED_STATES.includes(state as DesiredState) && typeof command === 'string' && (savepoint === undefined || typeof savepoint === 'string');
}

function isDeleted(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { topics, transactionalIds } = value as { [K in keyof DeletedState]?: unknown };
  return topics !== undefined && isNames(topics) && transactionalIds !== undefined && isNames(transactionalIds);
}

function isCommand(value: object): value is CommandRecord {
  const { id, command } = value as { [K in keyof CommandRecord]?: unknown };
  return typeof id === 'string' && COMMANDS.includes(command as CommandRecord['command']);
}

function isReport(value: object): value is TaskReport {
  const report = value as { [K in keyof TaskReport]?: unknown };
  const named = typeof report.task === 'string' && typeof report.replica === 'string';
  return named && isCount(report.barrier) && isFigures(report.figures) && (report.status === 'RUNNING' || report.status === 'DOWN');
}

function isFigures(value: unknown): boolean {
  if (value === undefined) return true;
  if (typeof value !== 'object' || value === null) return false;
  const { bytes, stateChanges, durationMs, alignmentMs, stateBytes = 0 } = value as { [K in keyof CommitFigures]?: unknown };
  return [bytes, stateChanges, durationMs, alignmentMs, stateBytes].every((figure) => typeof figure === 'number' && figure >= 0);
}
