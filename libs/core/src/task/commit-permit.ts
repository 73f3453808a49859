import { errors } from '../errors/errors.js';
import type { Incarnation } from '../model/brands.js';
import type { GroupMembership } from '../ports/membership.js';

/** In whose name a replica commits now. */
export interface MembershipSource {
  readonly membership: GroupMembership;
  /**
   * The log did not take `stale`: resolves once the group has confirmed a membership in which to try again.
   * @throws WeirError `fenced` if the replica is in the group no more
   */
  renew(stale: GroupMembership): Promise<void>;
}

/**
 * Without a permit nobody commits: it says in whose name (group, generation, member) and in which life of the job. It is given to a task
 * with its assignment, and revoked with it. Generations come and go while a task stays: the name is that of the moment.
 */
export class CommitPermit {
  #revoked: string | undefined;

  constructor(
    private readonly source: MembershipSource,
    readonly incarnation: Incarnation,
  ) {}

  get membership(): GroupMembership {
    return this.source.membership;
  }

  renew(stale: GroupMembership): Promise<void> {
    return this.source.renew(stale);
  }

  /** @param reason in words, for the error of whoever still tries */
  revoke(reason: string): void {
    this.#revoked ??= reason;
  }

  /** @throws WeirError `fenced` PERMIT_REVOKED */
  assertHeld(task: string): void {
    if (this.#revoked !== undefined) throw errors.permitRevoked({ task, reason: this.#revoked });
  }
}

/** The name of who is in no group: it is never renewed, for the log takes it always. */
export const fixedMembership = (membership: GroupMembership): MembershipSource => ({
  membership,
  renew: () => Promise.reject(errors.permitRevoked({ task: 'of a job without a group', reason: 'the log refused its offsets' })),
});

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
