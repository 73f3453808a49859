/** What the commit of one epoch took: for metrics, for reports, and for the history of rounds. */
export interface CommitFigures {
  /** Of outputs and changelog. */
  readonly bytes: number;
  /** Rows of the changelog. */
  readonly stateChanges: number;
  /** Milliseconds from the freeze until the store has it. */
  readonly durationMs: number;
  /** Milliseconds from the first sign of the barrier to the freeze. */
  readonly alignmentMs: number;
  /** Of the whole state of the task, roughly, once it was committed. Left out by versions of Weir that did not tell it. */
  readonly stateBytes?: number;
}

/** Of a barrier for which there was nothing to commit (R8). */
export const NO_FIGURES: CommitFigures = { bytes: 0, stateChanges: 0, durationMs: 0, alignmentMs: 0 };
