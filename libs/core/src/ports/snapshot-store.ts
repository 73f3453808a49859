/**
 * SnapshotStore: files that are written once, whole, and never changed: a path of a filesystem, a bucket. The `filesystem` state backend
 * keeps its state in one; the adapters' conformance suite is in @weir/testing.
 *
 * Guarantees:
 * - N1. A creation is atomic: whatever dies, and when, a name has the whole content or does not exist.
 * - N2. Of all that create one name, in whatever process, one succeeds. Content never changes after that.
 * - N3. Read after write: once a creation resolved, every process reads and lists it, also after the machine died.
 * - N4. Deletion is idempotent. A read that is under way meanwhile gives the whole content or fails.
 * - N5. Memory is bounded: content is taken and given chunk by chunk.
 */
export interface SnapshotStore {
  /**
   * Creates `name` with all that `content` yields. Each chunk is read before the next one is asked for, and not kept: its memory may be used
   * again. Where `content` throws, nothing is created, and the error comes out as it is.
   * @returns false if the name is taken; nothing was changed then
   * @throws WeirError `invalid` SNAPSHOT_NAME_INVALID; `retry` or `restart-task` if it could not be written
   */
  create(name: string, content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<boolean>;
  /**
   * The content in chunks of any size, each the reader's own.
   * @throws WeirError `invalid` SNAPSHOT_MISSING if there is none of that name; `restart-task` if it could not be read
   */
  read(name: string): AsyncIterable<Buffer>;
  /** What lies in one directory (not below it). Empty for one that does not exist. @param directory a name's parts but the last, joined by `/` */
  list(directory: string): Promise<SnapshotListing>;
  /** @param name one that was created, or an unfinished one as `list` has it */
  delete(name: string): Promise<void>;
}

/** Whole names, sorted. */
export interface SnapshotListing {
  readonly names: readonly string[];
  /** Of creations that have not ended: their writer is at it, or has died. Deleting one makes a creation under way fail. */
  readonly unfinished: readonly string[];
}

const PART = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,150}$/;
const LONGEST_NAME = 600;

export const SNAPSHOT_NAME_RULE = `1 to 8 parts joined by "/", each of 1 to 150 of A-Z a-z 0-9 . _ - and neither "." nor ".."`;

/** Whether a name may be created: nothing in it leads out of the store, or is another name on some filesystem. */
export function isSnapshotName(name: string): boolean {
  if (typeof name !== 'string' || name.length > LONGEST_NAME) return false;
  const parts = name.split('/');
  return parts.length <= 8 && parts.every((part) => PART.test(part));
}
