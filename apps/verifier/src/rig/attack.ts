/** Who starts the service, strikes it, and keeps it alive while the run needs it. */
export interface Attack {
  /** Strikes blow after blow, until all are struck or nothing more is to be learned. @param enough asked after each blow */
  strikeAll(enough: () => boolean): Promise<void>;
  /** Someone runs; called again and again until the input is read. */
  keepAlive(): Promise<void>;
  /** Whoever lives is told to stop, and does. */
  finish(): Promise<void>;
  /** Whatever came: nobody is left. */
  close(): Promise<void>;
  /** Whether further waiting makes no sense. */
  readonly givenUp: boolean;
  readonly figures: AttackFigures;
}

export interface AttackFigures {
  readonly blows: number;
  readonly lives: number;
  /** Milliseconds from the start of a process to RUNNING. */
  readonly startsMs: readonly number[];
  /** What was done how often, for people; empty where it is one kind. */
  readonly faults: Readonly<Record<string, number>>;
  /** Restores of tasks, as far as this attack counts them itself. */
  readonly restores: { readonly count: number; readonly records: number };
}
