import { errors } from '../errors/errors.js';

/**
 * How many tasks of each sub-topology each member gets: as even as whole numbers can be, in each sub-topology and over all of them at
 * once, and among all such divisions the one with the most gain.
 *
 * - E1. Of a sub-topology with P tasks every one of n members gets floor(P/n) or ceil(P/n).
 * - E2. Of all T tasks every member gets floor(T/n) or ceil(T/n).
 * - E3. A path has no node twice, so as many passes as there are nodes find the best ones, and as many steps walk one. Gains are fractions:
 *   without that bound, sums that differ by their rounding alone could improve each other for ever.
 *
 * Both at once are always possible (it is a rounding of the matrix P/n, whose rows and columns can be rounded together: M. Bacharach,
 * Matrix Rounding Problems, 1966). So what is left to decide is who gets one more than the floor: each sub-topology hands out P mod n
 * such extras, to different members. That is a flow from sub-topologies to members, and its best is found unit by unit along paths of
 * most gain (R. Busacker and P. Gowen, 1961): giving an extra to one member may take another from it, which goes on to the next.
 *
 * @param sizes tasks of each sub-topology
 * @param members how many there are, at least one
 * @param gain of the extra of a sub-topology at a member, at least 0; the same input gives the same division
 * @returns counts by sub-topology, then member
 */
export function evenCounts(sizes: readonly number[], members: number, gain: (sub: number, member: number) => number): number[][] {
  const extras = new Extras(sizes, members, gain);
  sizes.forEach((size, sub) => {
    for (let left = size % members; left > 0; left--) extras.handOut(sub);
  });
  const count = (sub: number, member: number): number => Math.floor(sizes[sub]! / members) + (extras.has(sub, member) ? 1 : 0);
  return sizes.map((_, sub) => Array.from({ length: members }, (_unused, member) => count(sub, member)));
}

/** Where a path came from: the member that it left through, and the sub-topology before it. */
interface Step {
  readonly gain: number;
  readonly from: number;
}

class Extras {
  readonly #given: boolean[][];
  readonly #gains: readonly (readonly number[])[];
  readonly #loads: number[];
  /** Extras that every member has in the end (E2); some have one more. */
  readonly #least: number;
  /** Outweighs all gains together: no member has one more than `least` while another has less. */
  readonly #filling: number;

  constructor(sizes: readonly number[], members: number, gain: (sub: number, member: number) => number) {
    this.#given = sizes.map(() => new Array<boolean>(members).fill(false));
    this.#gains = sizes.map((_, sub) => Array.from({ length: members }, (_unused, member) => gain(sub, member)));
    this.#loads = new Array<number>(members).fill(0);
    this.#least = Math.floor(sizes.reduce((sum, size) => sum + (size % members), 0) / members);
    this.#filling = 1 + this.#gains.flat().reduce((sum, one) => sum + one, 0);
  }

  /** Sub-topologies and members: what a path goes over. */
  get #nodes(): number {
    return this.#given.length + this.#loads.length;
  }

  has(sub: number, member: number): boolean {
    return this.#given[sub]![member]!;
  }

  /** One more extra of a sub-topology, along the path of most gain to a member that has room for it. */
  handOut(start: number): void {
    const { members, subs } = this.#paths(start);
    let best = -1;
    let most = -Infinity;
    members.forEach((step, member) => {
      const room = this.#roomAt(member);
      if (step === undefined || room === undefined || step.gain + room <= most) return;
      best = member;
      most = step.gain + room;
    });
    this.#loads[best]!++;
    let member = best;
    for (let steps = this.#nodes; steps > 0; steps--) {
      const sub = members[member]!.from;
      this.#given[sub]![member] = true;
      if (sub === start) return;
      member = subs[sub]!.from;
      this.#given[sub]![member] = false;
    }
    throw errors.invariantBroken({ invariant: 'E3', facts: `a path of more than ${this.#nodes} steps from sub-topology ${start}` });
  }

  /** What ending at a member is worth; undefined if it is full. */
  #roomAt(member: number): number | undefined {
    const load = this.#loads[member]!;
    return load < this.#least ? this.#filling : load === this.#least ? 0 : undefined;
  }

  /** The path of most gain from a sub-topology to each member, by repeated improvement (Bellman and Ford). */
  #paths(start: number): { members: (Step | undefined)[]; subs: (Step | undefined)[] } {
    const members: (Step | undefined)[] = this.#loads.map(() => undefined);
    const subs: (Step | undefined)[] = this.#gains.map((_, sub) => (sub === start ? { gain: 0, from: -1 } : undefined));
    let improved = true;
    for (let passes = this.#nodes; improved && passes > 0; passes--) {
      improved = false;
      for (let sub = 0; sub < subs.length; sub++) {
        const here = subs[sub];
        if (here === undefined) continue;
        for (let member = 0; member < members.length; member++) {
          if (this.has(sub, member)) continue;
          const gain = here.gain + this.#gains[sub]![member]!;
          if (gain <= (members[member]?.gain ?? -Infinity)) continue;
          members[member] = { gain, from: sub };
          improved = true;
        }
      }
      for (let member = 0; member < members.length; member++) {
        const here = members[member];
        if (here === undefined) continue;
        for (let sub = 0; sub < subs.length; sub++) {
          if (sub === start || !this.has(sub, member)) continue;
          const gain = here.gain - this.#gains[sub]![member]!;
          if (gain <= (subs[sub]?.gain ?? -Infinity)) continue;
          subs[sub] = { gain, from: member };
          improved = true;
        }
      }
    }
    return { members, subs };
  }
}
