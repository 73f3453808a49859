import { isWeirError, type WeirError } from './weir-error.js';

/** The WeirError that `act` throws: for specs that look at more than its message. */
export function thrownBy(act: () => unknown): WeirError {
  try {
    act();
  } catch (thrown) {
    if (isWeirError(thrown)) return thrown;
    throw thrown;
  }
  throw new Error('Nothing was thrown');
}

/** The WeirError that a promise rejects with. */
export async function rejectionOf(promise: Promise<unknown>): Promise<WeirError> {
  try {
    await promise;
  } catch (thrown) {
    if (isWeirError(thrown)) return thrown;
    throw thrown;
  }
  throw new Error('Nothing was thrown');
}
