import type { EpochInputs } from '../judge/changelog-replay.js';
import type { JavaWitness } from '../witness/java-witness.js';

const EPOCH_RECORD_KEY = Buffer.from('ffff01', 'hex');

/** What the last committed epoch record of each task says of its inputs; empty before there is a changelog. */
export async function recordedPositions(witness: JavaWitness, changelog: string): Promise<EpochInputs['inputs'][]> {
  if ((await witness.ends(changelog)).length === 0) return []; // it died before it made its topics
  const values = (await witness.last(changelog, EPOCH_RECORD_KEY)).values();
  return [...values].map((value) => (JSON.parse(value.toString('utf8')) as EpochInputs).inputs);
}
