/**
 * Branded numbers: an offset never meets a checkpoint id or a generation by accident.
 *
 * Kafka's int64 offsets are held as JavaScript numbers: exact up to 2^53, which at ten million records a second
 * lasts 28 years for one partition. Adapters reject anything larger as a `data` error rather than lose precision.
 */
declare const brand: unique symbol;
type Brand<Name extends string> = number & { readonly [brand]: Name };

/** Position of a record in one partition; as a boundary it is exclusive, i.e. the offset of the next record to read. */
export type Offset = Brand<'Offset'>;
/** Number of a checkpoint round, counted from 1 within one incarnation of a job. */
export type CheckpointId = Brand<'CheckpointId'>;
/** Generation of a consumer group; -1 for a group without members. */
export type Generation = Brand<'Generation'>;
/** How often the job was restored from a savepoint; part of every internal topic's name. The first life is 0. */
export type Incarnation = Brand<'Incarnation'>;
/** Index of a task within its sub-topology, 0 <= task < parallelism. */
export type TaskIndex = Brand<'TaskIndex'>;
/** Running count of a task's epochs (the spans between two commits) in this process, counted from 1. */
export type Epoch = Brand<'Epoch'>;

export const offset = (value: number): Offset => value as Offset;
export const checkpointId = (value: number): CheckpointId => value as CheckpointId;
export const generation = (value: number): Generation => value as Generation;
export const incarnation = (value: number): Incarnation => value as Incarnation;
export const taskIndex = (value: number): TaskIndex => value as TaskIndex;
export const epoch = (value: number): Epoch => value as Epoch;

/** The generation of a group that has no members: what a replica that owns every partition by itself commits with. */
export const NO_GENERATION = generation(-1);
