import type { StateBackendFactory } from '@weir/core';
import { memory, rocksdb } from '@weir/storage';
import type { RunSpec } from './run-spec.js';

/** Where a run keeps its state: the same for Weir and for the bare path. */
export const backendOf = ({ backend, stateDir }: RunSpec): StateBackendFactory => (backend === 'memory' ? memory() : rocksdb({ dir: stateDir }));
