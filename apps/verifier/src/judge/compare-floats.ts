import { keyGroupOf } from '@weir/core';
import type { ReplayedPartition, StoredValue } from './changelog-replay.js';
import type { Violations } from './violation.js';

/** The one keyed state of a stage, a number for each key. */
export interface FloatState {
  readonly stateId: number;
  /** What each key must hold; a key that is not there must hold nothing. */
  readonly expected: ReadonlyMap<string, number>;
  /** Partition of the stage's input that a key's records lie in. */
  readonly partitionOf: ReadonlyMap<string, number>;
}

/** A stored value begins with a byte that says whether it can expire: 0 says that it cannot. */
const HEADER_BYTES = 1;
const PLAIN = 0;
/** The framework's default; the services do not set another. */
const MAX_PARALLELISM = 128;

/** Compares what the tasks' changelogs hold with what they must hold, and checks that each key is where it belongs. */
export function compareFloats(state: FloatState, tasks: readonly ReplayedPartition[], violations: Violations): void {
  const found = new Set<string>();
  for (const task of tasks) {
    for (const entry of task.values()) {
      found.add(entry.key);
      compareEntry(state, task.partition, tasks.length, entry, violations);
    }
  }
  for (const key of state.expected.keys()) if (!found.has(key)) violations.add('state-wrong', `${key} has no state`);
}

function compareEntry(
  { stateId, expected, partitionOf }: FloatState,
  task: number,
  tasks: number,
  { keyGroup, stateId: storedId, key, value }: StoredValue,
  violations: Violations,
): void {
  const where = `${key} in changelog partition ${task}`;
  const due = expected.get(key);
  if (storedId !== stateId || value.length !== HEADER_BYTES + 8 || value[0] !== PLAIN || due === undefined) {
    violations.add('state-wrong', `${where}: state ${storedId} of ${value.length} bytes, and the model says ${due ?? 'none'}`);
    return;
  }
  const stored = value.readDoubleBE(HEADER_BYTES);
  if (stored !== due) violations.add('state-wrong', `${where}: ${stored}, and the model says ${due}`);
  const bytes = Buffer.from(key, 'utf8');
  const group = keyGroupOf(bytes, 0, bytes.length, MAX_PARALLELISM);
  const owner = (partitionOf.get(key) ?? 0) % tasks;
  if (keyGroup !== group || task !== owner)
    violations.add('state-placement', `${where}, key group ${keyGroup}; it belongs into ${owner}, key group ${group}`);
}
