export { describeKeyedStateConformance, type KeyedStateHarness } from './keyed-state.js';
export { describeLogConformance, type LogHarness } from './log.js';
export { describeStateBackendConformance, type StateBackendHarness } from './state-store.js';
