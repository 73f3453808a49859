import { errors } from '../errors/errors.js';
import type { Incarnation } from '../model/brands.js';
import type { GroupMembership } from '../ports/membership.js';

/**
 * Without a permit nobody commits: it says in whose name (group, generation, member) and in which life of the job. It is given to a task
 * with its assignment, and revoked with it.
 */
export class CommitPermit {
  #revoked: string | undefined;

  constructor(
    readonly membership: GroupMembership,
    readonly incarnation: Incarnation,
  ) {}

  /** @param reason in words, for the error of whoever still tries */
  revoke(reason: string): void {
    this.#revoked = reason;
  }

  /** @throws WeirError `internal`: a task that lost its permit was to be stopped before */
  assertHeld(task: string): void {
    if (this.#revoked !== undefined) throw errors.invariantBroken({ invariant: 'I4', facts: `task ${task} commits without a permit: ${this.#revoked}` });
  }
}

/**
 * Says which tasks are this replica's: what the group protocol decides once there are several replicas. `permit` is asked for after a
 * task has claimed its transactional id and before it reads anything (I3).
 */
export interface Ownership {
  /**
   * Resolves once it is certain that the task was this replica's a moment ago: a zombie must not fence the rightful owner.
   * @throws WeirError `fenced` if it is not
   */
  mayClaim(task: string): Promise<void>;
  /** Resolves once it is certain that the task is this replica's, now. @throws WeirError `fenced` if it is not */
  permit(task: string): Promise<CommitPermit>;
}
