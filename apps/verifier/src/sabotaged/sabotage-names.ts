import type { JobName } from '../jobs/jobs.js';
import type { Variant } from '../killer/kill-plan.js';

/**
 * The steps of the protocol that can be broken on purpose, each in a service of its own (main.ts beside this file), never in the
 * product. The rig must find each of them.
 */
export const SABOTAGES = {
  'offsets-apart': { job: 'temperature-alerts', variant: 'kill', what: "the group's offsets in a transaction of their own, after the other" },
  'offsets-never': { job: 'temperature-alerts', variant: 'kill', what: "the group's offsets not committed at all" },
  'outputs-apart': { job: 'temperature-alerts', variant: 'kill', what: 'the outputs in a transaction of their own, before the state' },
  'state-apart': { job: 'temperature-alerts', variant: 'kill', what: 'the state in a transaction of its own, before the outputs' },
  'store-early': { job: 'temperature-alerts', variant: 'kill', what: 'RocksDB written before the transaction commits' },
  'store-hollow': { job: 'temperature-alerts', variant: 'kill', what: "RocksDB's position written without the data" },
  'epoch-dropped': { job: 'temperature-alerts', variant: 'kill', what: 'the epoch record left out of the changelog' },
  'no-fencing': { job: 'temperature-alerts', variant: 'zombie', what: 'each process under transactional ids of its own' },
  'no-transaction': { job: 'temperature-alerts', variant: 'kill', what: 'every append in a transaction of its own' },
  'shuffle-apart': { job: 'site-alarms', variant: 'kill', what: 'repartition records in a transaction of their own, before the others' },
  'barrier-lost': { job: 'site-alarms', variant: 'kill', what: 'no barrier in one of the repartition partitions' },
  'count-doubled': { job: 'site-alarms', variant: 'kill', what: 'the outputs of some commits written twice' },
} as const satisfies Record<string, { readonly job: JobName; readonly variant: Variant; readonly what: string }>;

export type SabotageName = keyof typeof SABOTAGES;
export const SABOTAGE_NAMES = Object.keys(SABOTAGES) as readonly SabotageName[];
