/** Kafka's error codes that this library tells apart, by the names of Kafka's own `Errors`. */
export const CODE = {
  NONE: 0,
  OFFSET_OUT_OF_RANGE: 1,
  CORRUPT_MESSAGE: 2,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  REPLICA_NOT_AVAILABLE: 9,
  MESSAGE_TOO_LARGE: 10,
  NETWORK_EXCEPTION: 13,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  INVALID_TOPIC_EXCEPTION: 17,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  GROUP_AUTHORIZATION_FAILED: 30,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  TOPIC_ALREADY_EXISTS: 36,
  INVALID_REPLICATION_FACTOR: 38,
  NOT_CONTROLLER: 41,
  POLICY_VIOLATION: 44,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  INVALID_PRODUCER_ID_MAPPING: 49,
  INVALID_TRANSACTION_TIMEOUT: 50,
  CONCURRENT_TRANSACTIONS: 51,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: 53,
  KAFKA_STORAGE_ERROR: 56,
  UNKNOWN_PRODUCER_ID: 59,
  TOPIC_DELETION_DISABLED: 73,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  INVALID_RECORD: 87,
  UNSTABLE_OFFSET_COMMIT: 88,
  THROTTLING_QUOTA_EXCEEDED: 89,
  PRODUCER_FENCED: 90,
  UNKNOWN_TOPIC_ID: 100,
  INCONSISTENT_TOPIC_ID: 103,
  TRANSACTION_ABORTABLE: 120,
} as const;

const NAMES = new Map<number, string>(Object.entries(CODE).map(([name, code]) => [code, name]));

/** `NOT_LEADER_OR_FOLLOWER (6)`: how a code is shown to people. */
export const codeName = (code: number): string => `${NAMES.get(code) ?? 'error'} (${code})`;

/** The broker that was asked does not lead the partition (any more), or not yet: ask for metadata, then ask again. */
const STALE_LEADER = new Set<number>([
  CODE.UNKNOWN_TOPIC_OR_PARTITION,
  CODE.LEADER_NOT_AVAILABLE,
  CODE.NOT_LEADER_OR_FOLLOWER,
  CODE.REPLICA_NOT_AVAILABLE,
  CODE.KAFKA_STORAGE_ERROR,
  CODE.FENCED_LEADER_EPOCH,
  CODE.UNKNOWN_LEADER_EPOCH,
  CODE.OFFSET_NOT_AVAILABLE,
  CODE.UNKNOWN_TOPIC_ID,
  CODE.INCONSISTENT_TOPIC_ID,
]);
export const isStaleLeader = (code: number): boolean => STALE_LEADER.has(code);

/** The broker that was asked does not coordinate the group or transaction: look the coordinator up, then ask again. */
export const isStaleCoordinator = (code: number): boolean => code === CODE.NOT_COORDINATOR || code === CODE.COORDINATOR_NOT_AVAILABLE;

/** Nothing is wrong but the moment. */
const PASSING = new Set<number>([
  CODE.REQUEST_TIMED_OUT,
  CODE.NETWORK_EXCEPTION,
  CODE.COORDINATOR_LOAD_IN_PROGRESS,
  CODE.NOT_ENOUGH_REPLICAS,
  CODE.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
  CODE.NOT_CONTROLLER,
  CODE.THROTTLING_QUOTA_EXCEEDED,
]);
export const isPassing = (code: number): boolean => PASSING.has(code);

const REFUSED = new Set<number>([
  CODE.TOPIC_AUTHORIZATION_FAILED,
  CODE.GROUP_AUTHORIZATION_FAILED,
  CODE.CLUSTER_AUTHORIZATION_FAILED,
  CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
]);
export const isRefused = (code: number): boolean => REFUSED.has(code);

/** Another producer has taken the transactional id over, or the log has ended this one's transaction and raised the epoch. */
const FENCED = new Set<number>([CODE.INVALID_PRODUCER_EPOCH, CODE.PRODUCER_FENCED, CODE.INVALID_PRODUCER_ID_MAPPING]);
export const isFenced = (code: number): boolean => FENCED.has(code);

/** The group no longer knows this member in this generation. */
const STALE_MEMBER = new Set<number>([
  CODE.ILLEGAL_GENERATION,
  CODE.UNKNOWN_MEMBER_ID,
  CODE.FENCED_INSTANCE_ID,
  CODE.REBALANCE_IN_PROGRESS,
]);
export const isStaleMember = (code: number): boolean => STALE_MEMBER.has(code);
