import { PARTITIONERS } from '@weir/core';
import { applyRule, type KeyedStates, type ListStates, type Mean, mean, type Operation, type Result, type Rule, run, runOnLists, runOnRules } from './state-job.js';

/** What the job's states and results must be, in plain variables. */
export class StateModel {
  /** By operator and key. */
  readonly #keyed = new Map<string, PlainStates>();
  /** By task. */
  readonly #lists = new Map<number, PlainLists>();
  readonly #rules = new Map<string, number>();
  readonly #expected = new Map<number, { readonly key: string; readonly operation: Operation; readonly result: string }>();
  #n = 0;

  /** @param partitions of the operations, and as many tasks */
  constructor(private readonly partitions: number) {}

  get operations(): number {
    return this.#expected.size;
  }

  /** Takes note of an operation that is piped now. @returns it, numbered */
  operation(given: Omit<Operation, 'n'>): Operation {
    const operation = { ...given, n: ++this.#n };
    const { key } = operation;
    this.#expected.set(operation.n, { key, operation, result: JSON.stringify(this.#run(operation)) });
    return operation;
  }

  #run(operation: Operation): unknown {
    const { operator, key, kind } = operation;
    if (operator === 'lists') return runOnLists(entryOf(this.#lists, this.#taskOf(key), () => new PlainLists()).states, operation);
    if (kind === 'broadcast') return runOnRules(plainRules(this.#rules), operation);
    return run(this.keyed(operator, key).states, operation);
  }

  #taskOf(key: string): number {
    const bytes = Buffer.from(key, 'latin1');
    return PARTITIONERS.murmur2(bytes, 0, bytes.length, this.partitions);
  }

  keyed(operator: string, key: string): PlainStates {
    return entryOf(this.#keyed, `${operator} ${key}`, () => new PlainStates());
  }

  /** Takes note of a rule that is piped now. @returns it, numbered */
  rule(given: Omit<Rule, 'n'>): Rule {
    const rule = { ...given, n: ++this.#n };
    applyRule(plainRules(this.#rules), rule);
    return rule;
  }

  /** All state that fades is old enough to be gone. */
  expire(): void {
    for (const name of this.#keyed.keys()) if (name.startsWith('fading ')) this.#keyed.delete(name);
  }

  /** Rows that the states take in all changelogs. */
  get rows(): number {
    let rows = this.#rules.size * this.partitions;
    for (const { value, list, map, reducing, aggregating } of this.#keyed.values()) {
      rows += [value, reducing, aggregating].filter((one) => one !== undefined).length + list.length + map.size;
    }
    for (const { list, 'union-list': union } of this.#lists.values()) rows += list.length + union.length;
    return rows;
  }

  /** What is wrong with these results, in the order in which they came for each key: none missing, none twice, each right and in order. */
  differences(results: readonly { readonly key: string | null; readonly value: Result | null }[]): string[] {
    const found: string[] = [];
    const seen = new Set<number>();
    const lastOf = new Map<string, number>();
    for (const { key, value } of results) {
      const expected = this.#expected.get(value?.n ?? 0);
      if (expected === undefined || value === null) {
        found.push(`${cut(JSON.stringify(value))} was never asked for`);
        continue;
      }
      const { n, kind, act, operator, userKey } = expected.operation;
      const what = `${n}: ${operator} ${kind} ${act} ${cut(JSON.stringify(userKey))} of key ${cut(JSON.stringify(expected.key))}`;
      const lane = `${operator} ${expected.key}`;
      if (seen.has(n)) found.push(`${what} came twice`);
      else if (n < (lastOf.get(lane) ?? 0)) found.push(`${what} came after ${lastOf.get(lane)}`);
      if (key !== expected.key) found.push(`${what} came with key ${cut(JSON.stringify(key))}`);
      const result = JSON.stringify(value.result);
      if (result !== expected.result) found.push(`${what} gave ${cut(result)} and not ${cut(expected.result)}`);
      seen.add(n);
      lastOf.set(lane, n);
    }
    const missing = [...this.#expected.keys()].filter((n) => !seen.has(n));
    if (missing.length > 0) found.push(`${missing.length} results are missing: ${missing.slice(0, 10).join(' ')}`);
    return found;
  }

  /** Keys of an operator that have or had states. */
  keysOf(operator: string): string[] {
    const prefix = `${operator} `;
    return [...this.#keyed.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }
}

const cut = (text: string): string => (text.length <= 200 ? text : `${text.slice(0, 200)}... (${text.length})`);

function entryOf<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let found = map.get(key);
  if (found === undefined) map.set(key, (found = make()));
  return found;
}

/** In the order of the keys' bytes. */
const sorted = (map: ReadonlyMap<string, number>): [string, number][] => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

const plainRules = (rules: Map<string, number>) => ({
  get: (key: string) => rules.get(key),
  has: (key: string) => rules.has(key),
  entries: () => sorted(rules)[Symbol.iterator](),
  put: (key: string, value: number) => void rules.set(key, value),
  remove: (key: string) => void rules.delete(key),
  clear: () => rules.clear(),
});

/** The operator state of a task. */
class PlainLists {
  list: number[] = [];
  'union-list': number[] = [];

  readonly states: ListStates = { list: this.#listOf('list'), 'union-list': this.#listOf('union-list') };

  #listOf(kind: 'list' | 'union-list') {
    return {
      get: () => [...this[kind]],
      add: (value: number) => void this[kind].push(value),
      update: (values: readonly number[]) => void (this[kind] = [...values]),
      clear: () => void (this[kind] = []),
    };
  }
}

/** The keyed states of a key. */
export class PlainStates {
  value: number | undefined;
  list: number[] = [];
  readonly map = new Map<string, number>();
  reducing: number | undefined;
  aggregating: Mean | undefined;

  get entries(): [string, number][] {
    return sorted(this.map);
  }

  readonly states: KeyedStates = {
    value: { value: () => this.value, update: (value) => void (this.value = value), clear: () => void (this.value = undefined) },
    list: {
      add: (value) => void this.list.push(value),
      addAll: (values) => void this.list.push(...values),
      update: (values) => void (this.list = [...values]),
      get: () => [...this.list],
      clear: () => void (this.list = []),
    },
    map: {
      get: (key) => this.map.get(key),
      put: (key, value) => void this.map.set(key, value),
      putAll: (entries) => [...entries].forEach(([key, value]) => this.map.set(key, value)),
      has: (key) => this.map.has(key),
      remove: (key) => void this.map.delete(key),
      entries: () => this.entries[Symbol.iterator](),
      keys: () => this.map.keys(),
      values: () => this.map.values(),
      isEmpty: () => this.map.size === 0,
      clear: () => this.map.clear(),
    },
    reducing: {
      add: (value) => void (this.reducing = (this.reducing ?? 0) + value),
      get: () => this.reducing,
      clear: () => void (this.reducing = undefined),
    },
    aggregating: {
      add: (value) => void (this.aggregating = mean.add(value, this.aggregating ?? mean.createAccumulator())),
      merge: (other) => void (this.aggregating = this.aggregating === undefined ? other : mean.merge(this.aggregating, other)),
      get: () => (this.aggregating === undefined ? undefined : mean.getResult(this.aggregating)),
      clear: () => void (this.aggregating = undefined),
    },
  };
}
