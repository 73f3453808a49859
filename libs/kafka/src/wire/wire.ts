/**
 * Wire: the narrow port to a Kafka cluster. Everything of this library but one file stands on it, so that the transport can be
 * replaced, and so that specs can put a faulty one in its place.
 *
 * Guarantees:
 * - W1. `send` resolves with the body of the answer to this very request, or rejects; never both, never neither.
 * - W2. A rejection says whether the request can have had an effect: KAFKA_UNREACHABLE means that no byte of it was written,
 *   KAFKA_REPLY_LOST that it may have been carried out, now or later.
 * - W3. Requests to one node in one role are carried out in the order of their `send`.
 * - W4. Roles never wait for each other: a request held by the broker in one role delays no other role.
 */
export interface Wire {
  /**
   * Sends one request.
   * @param node id of a broker that `learn` told of, or ANY_NODE
   * @param body the request after its header; not to be changed before the promise has settled
   * @param timeoutMs how long the answer may take; by default the request timeout of the options, and less for what carries no records
   * @returns the answer after its header
   * @throws WeirError `retry` KAFKA_UNREACHABLE or KAFKA_REPLY_LOST; `invalid` if the cluster refuses this client
   */
  send(node: number, role: Role, api: Api, body: readonly Buffer[], timeoutMs?: number): Promise<Buffer>;
  /** Tells where the brokers are; connections to brokers that have moved are dropped. */
  learn(nodes: readonly NodeAddress[]): void;
  /** Drops every connection; requests under way are rejected. */
  close(): Promise<void>;
}

/** Stands for whichever broker can be reached. */
export const ANY_NODE = -1;

export interface NodeAddress {
  readonly node: number;
  readonly host: string;
  readonly port: number;
}

/**
 * What a connection is for; one connection per broker and role. A broker handles one request of a connection at a time, so what
 * may be held (fetches, group traffic) has connections of its own.
 */
export type Role = 'control' | `group-${number}` | `fetch-${number}` | `produce-${number}`;

export interface Api {
  readonly name: string;
  readonly key: number;
  readonly version: number;
  /** Whether this version has the compact encodings and tagged fields of KIP-482. */
  readonly flexible: boolean;
  /** ApiVersions alone: the header of its answer never has tagged fields, so that every client can read it. */
  readonly plainAnswer?: boolean;
}

const api = (name: string, key: number, version: number, flexible: boolean): Api => ({ name, key, version, flexible });

/**
 * The calls of this library, each at the one version that Kafka 3.9 and 4.3 both speak. Those of transactions are of transaction.version 1.
 */
export const APIS = {
  produce: api('Produce', 0, 8, false),
  fetch: api('Fetch', 1, 13, true),
  listOffsets: api('ListOffsets', 2, 8, true),
  metadata: api('Metadata', 3, 12, true),
  findCoordinator: api('FindCoordinator', 10, 2, false),
  joinGroup: api('JoinGroup', 11, 9, true),
  heartbeat: api('Heartbeat', 12, 4, true),
  leaveGroup: api('LeaveGroup', 13, 5, true),
  syncGroup: api('SyncGroup', 14, 5, true),
  apiVersions: api('ApiVersions', 18, 0, false),
  createTopics: api('CreateTopics', 19, 4, false),
  deleteTopics: api('DeleteTopics', 20, 3, false),
  deleteRecords: api('DeleteRecords', 21, 2, true),
  initProducerId: api('InitProducerId', 22, 4, true),
  offsetForLeaderEpoch: api('OffsetForLeaderEpoch', 23, 3, false),
  addPartitionsToTxn: api('AddPartitionsToTxn', 24, 2, false),
  addOffsetsToTxn: api('AddOffsetsToTxn', 25, 2, false),
  endTxn: api('EndTxn', 26, 2, false),
  txnOffsetCommit: api('TxnOffsetCommit', 28, 3, true),
  describeConfigs: api('DescribeConfigs', 32, 2, false),
} as const;

/** Tells, beside the versions of the calls, which features the cluster has agreed on. */
export const FEATURES: Api = { ...api('ApiVersions', 18, 3, true), plainAnswer: true };

/** How transactions are spoken of: 2 is KIP-890, which clusters offer from Kafka 4.0 on. */
export type TransactionVersion = 1 | 2;

/** The calls that differ between the versions of transactions. */
export const TRANSACTION_CALLS = {
  1: { produce: APIS.produce, txnOffsetCommit: APIS.txnOffsetCommit, endTxn: APIS.endTxn },
  2: {
    produce: api('Produce', 0, 12, true),
    txnOffsetCommit: api('TxnOffsetCommit', 28, 5, true),
    endTxn: api('EndTxn', 26, 5, true),
  },
} as const;
