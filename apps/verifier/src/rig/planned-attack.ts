import type { Companion } from '../killer/companion.js';
import type { Step } from '../killer/kill-plan.js';
import type { Killer } from '../killer/killer.js';
import type { Attack, AttackFigures } from './attack.js';

/** Blows by a plan on one process, with companions beside it that are struck by themselves, if there are any. */
export class PlannedAttack implements Attack {
  constructor(
    private readonly killer: Killer,
    private readonly companions: readonly Companion[],
    private readonly plan: readonly Step[],
    /** Called after each blow of the plan. */
    private readonly struck: () => void,
  ) {}

  get givenUp(): boolean {
    return this.killer.givenUp;
  }

  get figures(): AttackFigures {
    const { killer, companions } = this;
    const blows = companions.map((companion) => Object.values(companion.blows).reduce((sum, count) => sum + count, 0));
    return {
      blows: blows.reduce((sum, count) => sum + count, killer.blows),
      lives: companions.reduce((sum, { lives }) => sum + lives, killer.lives),
      startsMs: killer.startsMs,
      faults: {},
      restores: { count: 0, records: 0 }, // the ledger has them
    };
  }

  async strikeAll(enough: () => boolean): Promise<void> {
    for (const companion of this.companions) companion.start();
    for (const step of this.plan) {
      await this.killer.strike(step);
      this.struck();
      if (enough() || this.givenUp) return;
    }
  }

  keepAlive(): Promise<void> {
    return this.killer.keepAlive();
  }

  async finish(): Promise<void> {
    await Promise.all(this.companions.map((companion) => companion.finish()));
    await this.killer.finish(); // last, for it looks at what lies there when nobody runs
  }

  async close(): Promise<void> {
    await Promise.all([this.killer.close(), ...this.companions.map((companion) => companion.close())]);
  }
}
