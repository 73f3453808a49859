/** How a task ended. */
export type TaskEnd = { readonly type: 'canceled' } | { readonly type: 'failed'; readonly error: Error };

export const asError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));
