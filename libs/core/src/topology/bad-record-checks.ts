import { errors, show } from '../errors/errors.js';
import { BAD_RECORD_POLICIES, type BadRecordPolicy, compilePolicy, isBadRecordPolicy } from './bad-records.js';
import type { JobGraph, Node } from './graph.js';

/** The policy of an operator. @param byDefault of the job */
export const policyOf = ({ onBadRecord }: Node, byDefault: BadRecordPolicy): BadRecordPolicy => onBadRecord ?? byDefault;

/** Kinds of nodes that process nothing themselves. */
const WITHOUT_POLICY: readonly Node['kind'][] = ['union', 'broadcast', 'sideOutput'];

/** The topics that bad records of these nodes may go to. */
export function deadLetterTopicsOf(nodes: readonly Node[], byDefault: BadRecordPolicy): string[] {
  const policies = nodes.filter(({ kind }) => !WITHOUT_POLICY.includes(kind)).map((node) => compilePolicy(policyOf(node, byDefault)));
  return [...new Set(policies.flatMap(({ action }) => (typeof action === 'object' ? [action.deadLetter] : [])))];
}

/** @throws WeirError `invalid` TOPOLOGY_INVALID for a policy that there is not, or a dead-letter topic that the job itself reads or writes */
export function checkBadRecords({ job, nodes }: JobGraph, byDefault: BadRecordPolicy): void {
  for (const { name, onBadRecord } of nodes) {
    if (onBadRecord === undefined || isBadRecordPolicy(onBadRecord)) continue;
    throw errors.topologyInvalid({ job, problem: `onBadRecord of "${name}" is ${show(onBadRecord)}`, advice: `Use one of ${BAD_RECORD_POLICIES}.` });
  }
  for (const topic of deadLetterTopicsOf(nodes, byDefault)) {
    const other = nodes.find((node) => (node.kind === 'source' || node.kind === 'sink') && node.topic.topic === topic);
    if (other === undefined) continue;
    const problem = `topic "${topic}" takes dead letters, and is that of ${other.kind} "${other.name}"`;
    throw errors.topologyInvalid({ job, problem, advice: 'Give dead letters a topic of their own.' });
  }
}
