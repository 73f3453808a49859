import type { AssignableMember, TaskCopy } from './assign-tasks.js';

/**
 * What a replica tells the leader each time it joins: the data of `GroupOptions.describe`.
 *
 * version 1: JSON in UTF-8, fields as below; copies as pairs of task and lag. Once a rebalance, and readable with Kafka's tools. Fields
 * that are not known are passed over, so that a version may add some. Added to version 1 since: `join`, which nobody reads.
 */
export interface MemberReport extends Omit<AssignableMember, 'memberId'> {
  /** Number of the join that it is said with: a group agrees anew only for a member that says something else than before. */
  readonly join?: number;
  /** Where other replicas reach this one by HTTP; undefined if it serves none. */
  readonly url: string | undefined;
}

export const MEMBER_REPORT_VERSION = 1;

export function encodeMemberReport({ replica, join, url, running, leaving, awaiting, copies }: MemberReport): Buffer {
  const pairs = copies.map(({ task, lag }) => [task, lag]);
  return Buffer.from(JSON.stringify({ version: MEMBER_REPORT_VERSION, replica, join, url, running, leaving, awaiting, copies: pairs }), 'utf8');
}

/** @returns the report, or in words why there is none: one member that cannot be understood must not keep the others from their work */
export function decodeMemberReport(data: Buffer): MemberReport | string {
  let parsed: { [field: string]: unknown } | null;
  try {
    parsed = JSON.parse(data.toString('utf8')) as typeof parsed;
  } catch {
    return 'its report is no JSON';
  }
  if (typeof parsed !== 'object' || parsed === null) return 'its report is no JSON object';
  const { version, replica, url, running, leaving, awaiting, copies } = parsed;
  if (version !== MEMBER_REPORT_VERSION) return `its report has version ${String(version)}, and this leader reads ${MEMBER_REPORT_VERSION}`;
  if (typeof replica !== 'string' || (url !== undefined && typeof url !== 'string')) return 'its report names no replica';
  if (!isNames(running) || !isNames(leaving) || !isNames(awaiting) || !isCopies(copies)) return 'its report is damaged';
  return { replica, url, running, leaving, awaiting, copies: copies.map(([task, lag]): TaskCopy => ({ task, lag })) };
}

const isNames = (value: unknown): value is string[] => Array.isArray(value) && value.every((name) => typeof name === 'string');

const isCopies = (value: unknown): value is [string, number][] =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && typeof pair[0] === 'string' && Number.isFinite(pair[1]) && pair[1] >= 0);
