import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from '../places.js';

/**
 * The parts of the libs that no index exports and that are measured by themselves: loaded from the build, typed by the sources. Nothing but
 * the micro benchmarks may do so.
 */
type KeyTables = typeof import('../../../../libs/core/src/state/key-table.js');
type BatchEncoders = typeof import('../../../../libs/kafka/src/batch/batch-encoder.js');
type RecordSetReaders = typeof import('../../../../libs/kafka/src/batch/record-set-reader.js');

const load = <T>(path: string): Promise<T> => import(pathToFileURL(join(ROOT, 'libs', path)).href) as Promise<T>;

export const keyTables = (): Promise<KeyTables> => load('core/dist/state/key-table.js');
export const batchEncoders = (): Promise<BatchEncoders> => load('kafka/dist/batch/batch-encoder.js');
export const recordSetReaders = (): Promise<RecordSetReaders> => load('kafka/dist/batch/record-set-reader.js');
