import { decodeEpochRecord, encodeEpochRecord, withSnapshot } from '../checkpoint/epoch-record.js';
import { errors } from '../errors/errors.js';
import { RecordColumns, RecordWriter } from '../model/record-columns.js';
import type { SnapshotReference, StateSnapshots } from '../ports/state-backend.js';
import { EPOCH_RECORD_KEY, isReservedKey } from '../state/stored-key.js';

/**
 * Step 3 of a commit for a store that keeps snapshots: the rows of state go into one, and the changelog gets the reserved rows behind them
 * alone, the epoch record with the reference in it.
 *
 * @param changes of an epoch: rows of state, then reserved ones, the epoch record last
 * @returns what the changelog gets
 */
export async function takeSnapshot(changes: RecordColumns, snapshots: StateSnapshots): Promise<RecordColumns> {
  let stateRows = changes.count;
  while (stateRows > 0 && isReservedKey(changes.buffer, changes.keyStart[stateRows - 1]!, changes.keyEnd[stateRows - 1]!)) stateRows--;
  const reference = await snapshots.take(Object.assign(new RecordColumns(), changes, { count: stateRows }));
  return reservedRows(changes, stateRows, reference);
}

function reservedRows(changes: RecordColumns, from: number, reference: SnapshotReference): RecordColumns {
  const last = changes.count - 1;
  const record = last < from ? null : changes.value(last);
  if (record === null || !EPOCH_RECORD_KEY.equals(changes.key(last)!)) {
    throw errors.invariantBroken({ invariant: 'I2', facts: 'the changes of an epoch do not end with its epoch record' });
  }
  const reserved = new RecordWriter();
  for (let row = from; row < last; row++) reserved.add(changes.timestamp[row]!, changes.key(row), changes.value(row));
  const referring = withSnapshot(decodeEpochRecord(record, 'the running epoch'), reference);
  reserved.add(changes.timestamp[last]!, EPOCH_RECORD_KEY, encodeEpochRecord(referring));
  return reserved.columns;
}
