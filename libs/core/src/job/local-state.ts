import { type Incarnation, incarnation } from '../model/brands.js';
import type { StateBackend } from '../ports/state-backend.js';
import { scopeOf, taskName, type TaskPlan } from '../task/task-plan.js';

/** Lives before the present one whose stores are looked for at a start: this process may have been down when they were deleted. */
const LIVES_LOOKED_FOR = 8;

/** The lives before `present` whose stores may still lie here. */
export function formerLives(present: Incarnation): Incarnation[] {
  const count = Math.min(present, LIVES_LOOKED_FOR);
  return Array.from({ length: count }, (_, back) => incarnation(present - 1 - back));
}

/**
 * Deletes what this replica has of lives of the job whose state was given up: the stores of every task, for any may have been here, and their
 * snapshots. What cannot be deleted is told and left: no later life opens a store of that name. Never rejects.
 */
export async function dropLocalState(plans: readonly TaskPlan[], lives: readonly Incarnation[], backend: StateBackend, onNotice: (message: string) => void): Promise<void> {
  for (const life of lives) {
    for (const plan of plans) {
      const scope = { ...scopeOf(plan), incarnation: life };
      try {
        await backend.destroy(scope);
        await backend.dropSnapshots?.(scope);
      } catch (thrown) {
        const problem = thrown instanceof Error ? thrown.message : String(thrown);
        onNotice(`The state of task ${taskName(plan)} of a former life of the job (${life}) is left on this replica: ${problem}`);
      }
    }
  }
}
