export { describeKeyedStateConformance, type KeyedStateHarness } from './keyed-state.js';
export { describeLogConformance, type LogHarness } from './log.js';
export { describeMembershipConformance } from './membership.js';
export { describeStateBackendConformance, type StateBackendHarness } from './state-store.js';
