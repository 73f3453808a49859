import type { GroupMembership } from '@weir/core';
import { ProtocolReader } from '../wire/protocol-reader.js';
import { ProtocolWriter } from '../wire/protocol-writer.js';
import { APIS } from '../wire/wire.js';
import { PROTOCOL_NAME, PROTOCOL_TYPE } from './consumer-protocol.js';

/** Bodies of JoinGroup v9, SyncGroup v5, Heartbeat v4 and LeaveGroup v5: all flexible. */

export interface JoinFields {
  readonly groupId: string;
  readonly memberId: string;
  readonly instanceId: string | undefined;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly subscription: Buffer;
}

export function encodeJoinGroup(fields: JoinFields): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.joinGroup.flexible);
  out.string(fields.groupId).int32(fields.sessionTimeoutMs).int32(fields.rebalanceTimeoutMs);
  out.string(fields.memberId).string(fields.instanceId ?? null).string(PROTOCOL_TYPE);
  out.count(1).string(PROTOCOL_NAME).bytes(fields.subscription).tags();
  return out.string(null).tags().finish(); // no reason
}

export interface JoinedGroup {
  readonly error: number;
  readonly generation: number;
  readonly leader: string;
  readonly skipsAssignment: boolean;
  readonly memberId: string;
  readonly members: readonly JoinedMember[];
}

export interface JoinedMember {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly subscription: Buffer;
}

export function decodeJoinGroup(answer: Buffer): JoinedGroup {
  const from = new ProtocolReader(APIS.joinGroup, answer);
  from.int32(); // throttle time
  const error = from.int16();
  const generation = from.int32();
  from.nullableString(); // protocol type
  from.nullableString(); // protocol name
  const leader = from.string();
  const skipsAssignment = from.boolean();
  const memberId = from.string();
  const members = from.array(() => {
    const member = { memberId: from.string(), instanceId: from.nullableString(), subscription: from.bytes() };
    from.tags();
    return member;
  });
  return { error, generation, leader, skipsAssignment, memberId, members };
}

export interface Assignment {
  readonly memberId: string;
  readonly bytes: Buffer;
}

export function encodeSyncGroup(
  { groupId, generation, memberId }: GroupMembership,
  instanceId: string | undefined,
  assignments: readonly Assignment[],
): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.syncGroup.flexible);
  out.string(groupId).int32(generation).string(memberId).string(instanceId ?? null).string(PROTOCOL_TYPE).string(PROTOCOL_NAME);
  out.array(assignments, (one) => out.string(one.memberId).bytes(one.bytes).tags());
  return out.tags().finish();
}

export function decodeSyncGroup(answer: Buffer): { readonly error: number; readonly assignment: Buffer } {
  const from = new ProtocolReader(APIS.syncGroup, answer);
  from.int32(); // throttle time
  const error = from.int16();
  from.nullableString(); // protocol type
  from.nullableString(); // protocol name
  return { error, assignment: from.bytes() };
}

export function encodeHeartbeat({ groupId, generation, memberId }: GroupMembership, instanceId: string | undefined): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.heartbeat.flexible);
  return out.string(groupId).int32(generation).string(memberId).string(instanceId ?? null).tags().finish();
}

export function encodeLeaveGroup(groupId: string, memberId: string, instanceId: string | undefined): readonly Buffer[] {
  const out = new ProtocolWriter(APIS.leaveGroup.flexible);
  out.string(groupId).count(1).string(memberId).string(instanceId ?? null).string(null).tags(); // no reason
  return out.tags().finish();
}

/** @returns the error of the request, or else of the one member that it named */
export function decodeLeaveGroup(answer: Buffer): number {
  const from = new ProtocolReader(APIS.leaveGroup, answer);
  from.int32(); // throttle time
  const error = from.int16();
  const members = from.array(() => {
    from.string(); // member id
    from.nullableString(); // instance id
    const code = from.int16();
    from.tags();
    return code;
  });
  return error !== 0 ? error : (members[0] ?? 0);
}
