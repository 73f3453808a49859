/**
 * InstanceIds: under which name a process takes part in the group, so that the one that comes back after it is known as the same. Kept where
 * its state lies: who finds the state finds the name.
 *
 * Guarantees:
 * - E1. An id is had by one process at a time, for as long as it holds it; the system takes it from one that dies, however it dies.
 * - E2. Who takes an id where one was had before, and is free, gets that one.
 * - E3. Ids of different places are different.
 */
export interface InstanceIds {
  /**
   * @returns undefined where no place outlives the process: it takes part without such an id
   * @throws WeirError `invalid` if the place cannot be used; `retry` if the machine lacks what it takes just now
   */
  take(applicationId: string): Promise<TakenInstance | undefined>;
}

export interface TakenInstance {
  readonly instanceId: string;
  /** Lets others take it. Idempotent. */
  close(): Promise<void>;
}
