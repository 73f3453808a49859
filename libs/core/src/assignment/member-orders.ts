import { errors } from '../errors/errors.js';
import type { AwaitedTask, TaskOrders } from './assign-tasks.js';

/**
 * What the leader tells a member: the data of its `MemberShare`.
 *
 * version 1: JSON in UTF-8, fields as below; awaited tasks as pairs of task and present owner. Fields that are not known are passed over. Added
 * to version 1 since: `instanceId`, which may be left out.
 */
export interface MemberOrders extends TaskOrders {
  /** Why this member gets nothing to do, in words; undefined for members in order. */
  readonly refused: string | undefined;
  /** Everybody in this generation: where to find the replica that runs a task, and which one leads. */
  readonly replicas: readonly GroupReplica[];
}

export interface GroupReplica {
  readonly replica: string;
  /** The name under which it comes back; undefined for a dynamic member. */
  readonly instanceId?: string | undefined;
  readonly url: string | undefined;
  readonly isLeader: boolean;
  /** What it was told to run. */
  readonly run: readonly string[];
}

export const MEMBER_ORDERS_VERSION = 1;

export const NO_ORDERS: TaskOrders = { run: [], await: [], standby: [] };

export function encodeMemberOrders({ refused, run, await: awaited, standby, replicas }: MemberOrders): Buffer {
  const pairs = awaited.map(({ task, from }) => [task, from]);
  return Buffer.from(JSON.stringify({ version: MEMBER_ORDERS_VERSION, refused, run, await: pairs, standby, replicas }), 'utf8');
}

/** An empty share is one without orders: from a leader that did not know of this member. @throws WeirError `internal` ORDERS_UNREADABLE */
export function decodeMemberOrders(data: Buffer): MemberOrders {
  if (data.length === 0) return { ...NO_ORDERS, refused: undefined, replicas: [] };
  const refuse = (problem: string, cause?: unknown): Error => errors.ordersUnreadable({ problem }, cause);
  let parsed: { [field: string]: unknown } | null;
  try {
    parsed = JSON.parse(data.toString('utf8')) as typeof parsed;
  } catch (thrown) {
    throw refuse('they are no JSON', thrown);
  }
  if (typeof parsed !== 'object' || parsed === null) throw refuse('they are no JSON object');
  const { version, refused, run, await: awaited, standby, replicas } = parsed;
  if (version !== MEMBER_ORDERS_VERSION) {
    throw refuse(`they have version ${String(version)}, and this replica reads ${MEMBER_ORDERS_VERSION}`);
  }
  if (refused !== undefined && typeof refused !== 'string') throw refuse('the reason for refusing is no text');
  if (!isNames(run) || !isNames(standby) || !isPairs(awaited)) throw refuse('their tasks are damaged');
  if (!Array.isArray(replicas) || !replicas.every(isReplica)) throw refuse('their replicas are damaged');
  return { refused, run, await: awaited.map(([task, from]): AwaitedTask => ({ task, from })), standby, replicas: replicas.map(replicaOf) };
}

const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every((name) => typeof name === 'string');

const isPairs = (value: unknown): value is [string, string][] =>
  Array.isArray(value) && value.every((pair) => isNames(pair) && pair.length === 2);

function isReplica(value: unknown): value is GroupReplica {
  if (typeof value !== 'object' || value === null) return false;
  const { replica, instanceId, url, isLeader, run } = value as { [K in keyof GroupReplica]?: unknown };
  if (instanceId !== undefined && typeof instanceId !== 'string') return false;
  return typeof replica === 'string' && (url === undefined || typeof url === 'string') && typeof isLeader === 'boolean' && isNames(run);
}

const replicaOf = ({ replica, instanceId, url, isLeader, run }: GroupReplica): GroupReplica => ({ replica, instanceId, url, isLeader, run });
