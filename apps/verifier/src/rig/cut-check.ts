import { type Clock, sleep } from '@weir/core';
import type { EpochInputs } from '../judge/changelog-replay.js';
import type { Stage } from '../judge/job-model.js';
import type { Violations } from '../judge/violation.js';
import type { JavaWitness } from '../witness/java-witness.js';
import { recordedPositions } from './committed-positions.js';

/** Markers of a transaction that was being committed at the kill are still on their way to some partitions. */
const MARKERS_LIMIT_MS = 5_000;
const POLL_MS = 25;

/**
 * While nobody runs: epoch records and group offsets are committed in one transaction, so the last committed ones of each say the same.
 * At the end of a run this no longer shows, for the next commit mends it.
 */
export class CutCheck {
  #cuts = 0;

  constructor(
    private readonly witness: JavaWitness,
    private readonly names: { readonly group: string; readonly stages: readonly Stage[] },
    private readonly clock: Clock,
    private readonly violations: Violations,
  ) {}

  get cuts(): number {
    return this.#cuts;
  }

  /** @param when in words */
  async check(when: string): Promise<void> {
    const { clock } = this;
    const deadline = clock.monotonic() + MARKERS_LIMIT_MS;
    let differences = await this.#differences();
    while (differences.length > 0 && clock.monotonic() < deadline) {
      await sleep(clock, POLL_MS);
      differences = await this.#differences();
    }
    this.#cuts++;
    if (differences.length > 0) this.violations.add('cut-torn', `${when}: ${differences.join('; ')}`);
  }

  async #differences(): Promise<string[]> {
    const found: string[] = [];
    for (const { changelog, inputs } of this.names.stages) {
      const recorded = await recordedPositions(this.witness, changelog);
      if (recorded !== undefined) for (const input of inputs) found.push(...(await this.#differencesOf(input, recorded)));
    }
    return found;
  }

  async #differencesOf(input: string, all: EpochInputs['inputs']): Promise<string[]> {
    const recorded = new Map(all.filter(({ topic }) => topic === input).map(({ partition, offset }) => [partition, offset]));
    const committed = await this.witness.groupOffsets(this.names.group, input);
    const partitions = [...new Set([...recorded.keys(), ...committed.keys()])].sort((a, b) => a - b);
    return partitions
      .filter((partition) => recorded.get(partition) !== committed.get(partition))
      .map(
        (partition) =>
          `${input}-${partition} is at ${committed.get(partition) ?? 'no offset'} in the group, ` +
          `and at ${recorded.get(partition) ?? 'no offset'} in the epoch record`,
      );
  }
}
