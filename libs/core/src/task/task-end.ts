import { isWeirError } from '../errors/weir-error.js';
import { OFFSET_OUT_OF_RANGE } from '../ports/log.js';

/** How a task ended. */
export type TaskEnd = { readonly type: 'canceled' } | { readonly type: 'failed'; readonly error: Error };

export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

/**
 * Why a task failed, for whoever decides what becomes of it. What the log does not have any more may be what the rightful owner has read and
 * purged since: a replica that was cut off, and reads on before it hears of its loss, would fail the job for that. So the group is asked first.
 *
 * @param confirm throws if the task is not this replica's any more
 */
export async function causeOf(thrown: unknown, confirm: () => Promise<void>): Promise<Error> {
  if (!isWeirError(thrown) || thrown.code !== OFFSET_OUT_OF_RANGE) return asError(thrown);
  try {
    await confirm();
    return thrown;
  } catch (lost) {
    return asError(lost);
  }
}
