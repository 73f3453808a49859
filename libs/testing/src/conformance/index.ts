export { describeStateConformance, type StateHarness } from './state.js';
export { drawOperation, type Given, KEYS, LARGE_KEYS, PARTITIONS, StatesRig, TOPIC_CONFIG, USER_KEYS } from './states-rig.js';
export { ACTS, KINDS, type Operation, OPERATOR_KINDS, type Result, type Rule, statesJob, statesTopics, type StatesTopics } from './state-job.js';
export { StateModel } from './state-model.js';
export { describeLogConformance, type LogHarness } from './log.js';
export { describeMembershipConformance } from './membership.js';
export { describeSnapshotStoreConformance, type SnapshotStoreHarness } from './snapshot-store.js';
export { describeStateBackendConformance, type StateBackendHarness } from './state-store.js';
