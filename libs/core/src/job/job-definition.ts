import type { StreamBuilder } from '../topology/stream-builder.js';

/** A job: what a user writes. `define` is called once per process, before anything runs. */
export interface JobDefinition {
  define(streams: StreamBuilder): void;
}
