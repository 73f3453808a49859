import type { EpochInputs } from '../judge/changelog-replay.js';
import type { Stage } from '../judge/job-model.js';
import type { JavaWitness } from '../witness/java-witness.js';
import type { SeenEnds } from '../witness/seen-record.js';

/** By topic. */
type Ends = ReadonlyMap<string, readonly SeenEnds[]>;

const EPOCH_RECORD_KEY = Buffer.from('ffff01', 'hex');

/** What the last committed epoch record of each task says of its inputs; undefined before there is a changelog. */
export async function recordedPositions(witness: JavaWitness, changelog: string): Promise<EpochInputs['inputs'] | undefined> {
  if ((await witness.ends(changelog)).length === 0) return undefined; // it died before it made its topics
  const values = (await witness.last(changelog, EPOCH_RECORD_KEY)).values();
  return [...values].flatMap((value) => (JSON.parse(value.toString('utf8')) as EpochInputs).inputs);
}

/** How far a service has come, in sums of offsets: as the group says of what is dealt out, as epoch records say of broadcasts. */
export class CommittedPositions {
  constructor(
    private readonly witness: JavaWitness,
    private readonly group: string,
    private readonly stages: readonly Stage[],
  ) {}

  async of(topic: string): Promise<number> {
    return sumOf([...(await this.witness.groupOffsets(this.group, topic)).values()]);
  }

  /** Of all topics that are dealt out, those of shuffles among them. */
  async ofInputs(): Promise<number> {
    let sum = 0;
    for (const { inputs } of this.stages) for (const topic of inputs) sum += await this.of(topic);
    return sum;
  }

  /** How far the topics of shuffles go now. */
  async shuffleEnds(): Promise<Ends> {
    const ends = new Map<string, readonly SeenEnds[]>();
    for (const { inputs } of this.stages.slice(1)) for (const topic of inputs) ends.set(topic, await this.witness.ends(topic));
    return ends;
  }

  /** Offsets below `ends` that the group has not committed. */
  async behind(ends: Ends): Promise<number> {
    let behind = 0;
    for (const [topic, of] of ends) {
      const committed = await this.witness.groupOffsets(this.group, topic);
      for (const { partition, lastStable } of of) behind += Math.max(0, lastStable - (committed.get(partition) ?? 0));
    }
    return behind;
  }

  /** Records of broadcasts, each as often as there are tasks that read it. */
  async broadcastRecords(): Promise<number> {
    let sum = 0;
    for (const { changelog, broadcasts } of this.stages) {
      const tasks = (await this.witness.ends(changelog)).length;
      for (const topic of broadcasts) sum += tasks * (await this.#endOf(topic));
    }
    return sum;
  }

  /** Records of broadcasts that tasks have not committed yet, each as often as there are such tasks. */
  async broadcastsBehind(): Promise<number> {
    let behind = 0;
    for (const { changelog, broadcasts } of this.stages) {
      const tasks = Math.max(1, (await this.witness.ends(changelog)).length);
      const recorded = (await recordedPositions(this.witness, changelog)) ?? [];
      for (const topic of broadcasts) {
        const read = recorded.filter((input) => input.topic === topic).map(({ offset }) => offset);
        behind += tasks * (await this.#endOf(topic)) - sumOf(read);
      }
    }
    return behind;
  }

  async #endOf(topic: string): Promise<number> {
    return sumOf((await this.witness.ends(topic)).map(({ lastStable }) => lastStable));
  }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);
