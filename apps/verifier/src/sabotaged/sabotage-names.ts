import type { Variant } from '../killer/kill-plan.js';

/**
 * The steps of the protocol that can be broken on purpose, each in a service of its own (main.ts beside this file), never in the
 * product. The rig must find each of them.
 */
export const SABOTAGES = {
  'offsets-apart': { variant: 'kill', what: "the group's offsets in a transaction of their own, after the other" },
  'offsets-never': { variant: 'kill', what: "the group's offsets not committed at all" },
  'outputs-apart': { variant: 'kill', what: 'the outputs in a transaction of their own, before the state' },
  'state-apart': { variant: 'kill', what: 'the state in a transaction of its own, before the outputs' },
  'store-early': { variant: 'kill', what: 'RocksDB written before the transaction commits' },
  'store-hollow': { variant: 'kill', what: "RocksDB's position written without the data" },
  'epoch-dropped': { variant: 'kill', what: 'the epoch record left out of the changelog' },
  'no-fencing': { variant: 'zombie', what: 'each process under transactional ids of its own' },
  'no-transaction': { variant: 'kill', what: 'every append in a transaction of its own' },
} as const satisfies Record<string, { readonly variant: Variant; readonly what: string }>;

export type SabotageName = keyof typeof SABOTAGES;
export const SABOTAGE_NAMES = Object.keys(SABOTAGES) as readonly SabotageName[];
