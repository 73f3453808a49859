/**
 * What a dead process waits for. A promise of its own each time: what awaits one promise is held by it, so one for all would keep every cluster
 * that a simulation ever had.
 */
export const never = (): Promise<never> => new Promise<never>(() => undefined);
