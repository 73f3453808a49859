import { errors } from '../errors/errors.js';
import type { PartitionerName } from '../model/partitioner.js';
import type { OperatorStateKind, StateKind } from './descriptors.js';

/**
 * What a task's changelog says of the states in it: enough to refuse a job that would read them wrongly. Kept under a reserved key, and
 * written with the commit that first has it or changes it.
 *
 * version 1: JSON in UTF-8, fields as below.
 */
export interface StateCatalogue {
  readonly version: 1;
  readonly job: string;
  readonly parallelism: number;
  readonly maxParallelism: number;
  /** Partition count of each input topic: keys move when it changes. */
  readonly inputs: Readonly<Record<string, number>>;
  readonly operators: Readonly<Record<string, OperatorDeclaration>>;
}

export interface OperatorDeclaration {
  readonly keyCodec: string;
  /** Version of the key codec: keys of another would be other keys. */
  readonly keyVersion: number;
  /** What `auto` found the topic to be partitioned by, once the keys told. */
  readonly partitioner?: PartitionerName;
  readonly states: Readonly<Record<string, StateDeclaration>>;
}

export interface StateDeclaration {
  readonly kind: StateKind | OperatorStateKind;
  /** Of a value, of an element, or of a map's values. */
  readonly codec: string;
  readonly version: number;
  readonly id: number;
  /** Of a map's own keys. */
  readonly keyCodec?: string;
  readonly keyVersion?: number;
}

/** What is wrong with a name that is registered again, as the same kind or another. */
export const twiceAs = (before: string, kind: string): string =>
  before === kind ? 'it is registered twice' : `it is registered twice, as ${before} state and as ${kind} state`;

export const CATALOGUE_VERSION = 1;

export const encodeCatalogue = (catalogue: StateCatalogue): Buffer => Buffer.from(JSON.stringify(catalogue), 'utf8');

/** @throws WeirError `invalid` STATE_INCOMPATIBLE */
export function decodeCatalogue(bytes: Buffer, changelog: string): StateCatalogue {
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch (thrown) {
    throw errors.stateIncompatible({ changelog, problem: 'its catalogue is no JSON' }, thrown);
  }
  if (isObject(parsed) && typeof parsed['version'] === 'number' && parsed['version'] !== CATALOGUE_VERSION) {
    throw errors.stateIncompatible({ changelog, problem: `its catalogue has version ${parsed['version']}, and this Weir reads ${CATALOGUE_VERSION}` });
  }
  if (!isCatalogue(parsed)) throw errors.stateIncompatible({ changelog, problem: 'its catalogue is damaged' });
  return parsed;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
const isRecordOf = (value: unknown, isOne: (one: unknown) => boolean): boolean => isObject(value) && Object.values(value).every(isOne);

function isCatalogue(value: unknown): value is StateCatalogue {
  if (!isObject(value) || value['version'] !== CATALOGUE_VERSION || typeof value['job'] !== 'string') return false;
  const counts = [value['parallelism'], value['maxParallelism']].every(Number.isSafeInteger);
  return counts && isRecordOf(value['inputs'], Number.isSafeInteger) && isRecordOf(value['operators'], isOperator);
}

const isOperator = (value: unknown): boolean =>
  isObject(value) && typeof value['keyCodec'] === 'string' && Number.isSafeInteger(value['keyVersion']) && isRecordOf(value['states'], isState);

const isState = (value: unknown): boolean =>
  isObject(value) && typeof value['kind'] === 'string' && typeof value['codec'] === 'string' && Number.isSafeInteger(value['version']);

/** What `name` stands for; not what every object has under names like `constructor`. */
const own = <T>(of: Readonly<Record<string, T>>, name: string): T | undefined => (Object.hasOwn(of, name) ? of[name] : undefined);

/**
 * Refuses a job whose declarations do not fit the recorded ones. What is new is welcome; what is gone or changed is not.
 * @throws WeirError `invalid`
 */
export function checkCatalogue(recorded: StateCatalogue, declared: StateCatalogue, changelog: string): void {
  if (recorded.job !== declared.job) throw errors.applicationIdTaken({ changelog, job: declared.job, recorded: recorded.job });
  if (recorded.parallelism !== declared.parallelism) {
    throw errors.parallelismChanged({ topic: changelog, recorded: recorded.parallelism, wanted: declared.parallelism });
  }
  const problem = differenceOf(recorded, declared);
  if (problem !== undefined) throw errors.stateIncompatible({ changelog, problem });
  for (const [topic, partitions] of Object.entries(recorded.inputs)) {
    const found = own(declared.inputs, topic);
    if (found === undefined) throw errors.stateIncompatible({ changelog, problem: `the job no longer reads topic ${topic}` });
    if (found !== partitions) throw errors.inputPartitionsChanged({ topic, recorded: partitions, found });
  }
}

function differenceOf(recorded: StateCatalogue, declared: StateCatalogue): string | undefined {
  if (recorded.maxParallelism !== declared.maxParallelism) {
    return `maxParallelism was ${recorded.maxParallelism} and is ${declared.maxParallelism}`;
  }
  for (const [operator, was] of Object.entries(recorded.operators)) {
    const is = own(declared.operators, operator);
    if (is === undefined) return `operator "${operator}" has state, and the job no longer has it`;
    if (was.keyCodec !== is.keyCodec) return `the key of operator "${operator}" was ${was.keyCodec} and is ${is.keyCodec}`;
    if (was.keyVersion !== is.keyVersion) {
      return `the key of operator "${operator}" was version ${was.keyVersion} of ${was.keyCodec} and is version ${is.keyVersion}`;
    }
    for (const [name, state] of Object.entries(was.states)) {
      const now = own(is.states, name);
      const place = `state "${name}" of operator "${operator}"`;
      if (now === undefined) return `${place} is no longer declared`;
      if (now.kind !== state.kind) return `${place} was a ${state.kind} state and is a ${now.kind} state`;
      if (now.codec !== state.codec) return `${place} was ${state.codec} and is declared ${now.codec}`;
      if (now.version !== state.version) return `${place} was version ${state.version} of ${state.codec} and is declared version ${now.version}`;
      if (now.keyCodec !== state.keyCodec) return `${place} had keys of ${state.keyCodec ?? 'none'} and is declared with keys of ${now.keyCodec ?? 'none'}`;
      if (now.keyVersion !== state.keyVersion) {
        return `${place} had keys of version ${state.keyVersion} of ${state.keyCodec} and is declared with version ${now.keyVersion}`;
      }
    }
  }
  return undefined;
}
