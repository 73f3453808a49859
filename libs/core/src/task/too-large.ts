import { errors, showBytes } from '../errors/errors.js';
import { isWeirError } from '../errors/weir-error.js';
import { NULL, type RecordColumns } from '../model/record-columns.js';
import { RECORD_TOO_LARGE, type RecordTooLarge } from '../ports/log.js';
import { isOperatorKey, isReservedKey, partsOfStoredKey, stateIdIn } from '../state/stored-key.js';
import type { EpochEffects } from './epoch-effects.js';
import type { TaskPlan } from './task-plan.js';

/**
 * A log knows topics and rows; a user knows sinks, shuffles, states and keys. This says in the user's words which record of an epoch the
 * log has refused for its size (L7). Any other error is given back as it is.
 */
export function explainTooLarge(thrown: unknown, effects: Pick<EpochEffects, 'output'> & Partial<Pick<EpochEffects, 'changes'>>, plan: TaskPlan, nameOfState: (id: number) => string | undefined): unknown {
  if (!isWeirError(thrown) || thrown.code !== RECORD_TOO_LARGE) return thrown;
  const { topic, partition, row, bytes, limit } = thrown.context as RecordTooLarge;
  const isChangelog = topic === plan.changelog.topic;
  const records = isChangelog ? effects.changes?.columns : effects.output(topic, partition);
  if (records === undefined || row >= records.count) return thrown;
  const what = isChangelog ? changeAt(records, row, nameOfState) : `A record of ${writerOf(topic, plan)} with ${keyAt(records, row)}`;
  const isOwn = isChangelog || plan.repartitionOutputs.some((output) => output.topic === topic);
  return errors.recordTooLarge({ what, topic, partition, bytes, limit, advice: isOwn ? OWN_TOPIC : USERS_TOPIC }, thrown);
}

const USERS_TOPIC = 'Raise max.message.bytes of the topic and what its consumers fetch, or write smaller records; the job goes on at its last commit.';
const OWN_TOPIC =
  'Keep or send smaller values (a list or a map stores each entry by itself), or raise max.message.bytes of the topic, and set internalTopics.maxMessageBytes for those to come; the job goes on at its last commit.';

/** The sinks or the shuffle that write a topic; what no operator is named by takes dead letters. */
function writerOf(topic: string, { nodes, repartitionOutputs }: TaskPlan): string {
  const shuffle = repartitionOutputs.find((output) => output.topic === topic);
  if (shuffle !== undefined) return `shuffle ${shuffle.node.name}`;
  const sinks = nodes.flatMap((node) => (node.kind === 'sink' && node.topic.topic === topic ? [node.name] : []));
  if (sinks.length === 0) return 'the dead letters';
  return `${sinks.length > 1 ? 'sinks' : 'sink'} ${sinks.join(', ')}`;
}

function keyAt({ buffer, keyStart, keyEnd }: RecordColumns, row: number): string {
  return keyStart[row] === NULL ? 'no key' : `key ${showBytes(buffer, keyStart[row]!, keyEnd[row]!)}`;
}

function changeAt({ buffer, keyStart, keyEnd }: RecordColumns, row: number, nameOfState: (id: number) => string | undefined): string {
  const start = keyStart[row]!;
  const end = keyEnd[row]!;
  if (isReservedKey(buffer, start, end)) return 'The epoch record or the catalogue';
  const stored = buffer.subarray(start, end);
  const id = stateIdIn(stored);
  const state = nameOfState(id) ?? `the state with id ${id}`;
  if (isOperatorKey(stored)) return `An entry of ${state}`;
  const parts = partsOfStoredKey(stored);
  const entry = parts.keyEnd === stored.length ? '' : `, entry ${showBytes(stored, parts.keyEnd, stored.length)}`;
  return `An entry of ${state} for key ${showBytes(stored, parts.keyStart, parts.keyEnd)}${entry}`;
}
