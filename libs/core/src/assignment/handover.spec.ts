import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { assignTasks, type AssignableMember } from './assign-tasks.js';
import { closed, NO_DUTIES, obey, reportOf } from './duties.js';

/** A replica that does as it is told, one step at a time. */
class Replica {
  duties = NO_DUTIES;

  constructor(readonly name: string) {}

  get report(): AssignableMember {
    return { memberId: this.name, replica: this.name, ...reportOf(this.duties), copies: [] };
  }

  has(task: string): boolean {
    return this.duties.running.has(task) || this.duties.leaving.has(task);
  }
}

class Group {
  replicas: Replica[] = [];
  #names = 0;

  constructor(readonly tasks: readonly (readonly string[])[]) {}

  join(): void {
    this.replicas.push(new Replica(`replica-${this.#names++}`));
    this.agree();
  }

  die(at: number): void {
    this.replicas.splice(at % this.replicas.length, 1);
    this.agree();
  }

  closeOne(at: number): void {
    const closing = this.replicas.flatMap((replica) => [...replica.duties.leaving.keys()].map((task) => ({ replica, task })));
    if (closing.length === 0) return;
    const { replica, task } = closing[at % closing.length]!;
    replica.duties = closed(replica.duties, task).duties;
    this.agree();
  }

  /** A generation, seen by the replicas in any order: nobody starts what another has. */
  agree(): void {
    const orders = assignTasks({ subTopologies: this.tasks, members: this.replicas.map(({ report }) => report), standbys: 0 });
    for (const replica of this.replicas) replica.duties = obey(replica.duties, orders.get(replica.name)!, 0).duties;
    for (const task of this.tasks.flat()) {
      expect(this.replicas.filter((replica) => replica.has(task)).length).toBeLessThanOrEqual(1);
    }
  }

  get isAtRest(): boolean {
    return this.replicas.every(({ duties }) => duties.leaving.size + duties.awaiting.size === 0);
  }
}

type Event = readonly ['join' | 'die' | 'close', number];

describe('a handover', () => {
  const events = fc.array(fc.tuple(fc.constantFrom('join' as const, 'die' as const, 'close' as const, 'close' as const), fc.nat()), { maxLength: 25 });
  const sizes = fc.array(fc.nat({ max: 6 }), { minLength: 1, maxLength: 3 });

  const play = (counts: readonly number[], happens: readonly Event[]): Group => {
    const group = new Group(counts.map((count, sub) => Array.from({ length: count }, (_, task) => `${sub}-${task}`)));
    group.join();
    for (const [event, at] of happens) {
      if (event === 'join') group.join();
      else if (event === 'close') group.closeOne(at);
      else if (group.replicas.length > 1) group.die(at);
    }
    return group;
  };

  it('H1: never has a task on two replicas, whoever joins, dies or closes in whatever order', () => {
    fc.assert(fc.property(sizes, events, (counts, happens) => void play(counts, happens)), { numRuns: 300 });
  });

  it('H1: comes to an end once owners have closed what they were told to, and then everything runs', () => {
    fc.assert(
      fc.property(sizes, events, (counts, happens) => {
        const group = play(counts, happens);
        let rounds = 0;
        for (; !group.isAtRest && rounds < 50; rounds++) group.closeOne(0);
        expect(group.isAtRest).toBe(true);
        expect(group.replicas.flatMap(({ duties }) => [...duties.running]).sort()).toEqual(group.tasks.flat().sort());
      }),
      { numRuns: 300 },
    );
  });

  it('H4: does not take a task from who awaits it because others have closed theirs', () => {
    fc.assert(
      fc.property(sizes, events, (counts, happens) => {
        const group = play(counts, happens);
        for (let rounds = 0; !group.isAtRest && rounds < 50; rounds++) {
          const before = group.replicas.map(({ duties }) => [...duties.awaiting.keys()]);
          group.closeOne(rounds);
          group.replicas.forEach((replica, at) => {
            for (const task of before[at]!) expect(replica.duties.awaiting.has(task) || replica.duties.running.has(task)).toBe(true);
          });
        }
      }),
      { numRuns: 300 },
    );
  });
});
