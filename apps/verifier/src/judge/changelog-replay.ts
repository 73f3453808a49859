import type { SeenRecord } from '../witness/seen-record.js';
import type { Violations } from './violation.js';

/**
 * Replays a changelog from its records alone, with a reading of the layout (core's state/stored-key.ts, checkpoint/epoch-record.ts) that
 * shares no code with the engine:
 *
 *   ff ff 01                                     epoch record, JSON
 *   ff ff 02                                     state catalogue
 *   group (2) | state (4) | length (varint) | key   one value
 *   80 00 | state (4) | key                         one entry of operator state
 */
export interface EpochInputs {
  readonly barrier: number;
  readonly inputs: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[];
  /** Of a task whose changelog does not hold its state: files, in whose order later rows win. */
  readonly snapshot?: { readonly files: readonly string[] };
}

export interface StoredValue {
  readonly keyGroup: number;
  readonly stateId: number;
  readonly key: string;
  readonly value: Buffer;
}

const EPOCH_RECORD = 'ffff01';
const RESERVED = /^fff[ef]/;
const OPERATOR_STATE = /^8000/;

/** One partition of a changelog: what the state of one task is, and was. */
export class ReplayedPartition {
  /** Stored key in hexadecimal to value, epoch record and catalogue among them: what a store at the end of the changelog must hold. */
  readonly entries = new Map<string, Buffer>();
  #epochs = 0;
  #epochRecords = 0;
  #largestEpoch = 0;
  #latest: EpochInputs | undefined;
  #lastOffset = -1;

  constructor(
    readonly partition: number,
    private readonly violations: Violations,
  ) {}

  /** Committed epochs. */
  get epochs(): number {
    return this.#epochs;
  }

  /** Records of the largest epoch, its epoch record among them. */
  get largestEpoch(): number {
    return this.#largestEpoch;
  }

  get latest(): EpochInputs | undefined {
    return this.#latest;
  }

  /** Offset of the last record; -1 before the first. */
  get lastOffset(): number {
    return this.#lastOffset;
  }

  /** @returns what a record that ends an epoch says */
  read({ offset, key, value }: SeenRecord): EpochInputs | undefined {
    this.#lastOffset = offset;
    const name = key?.toString('hex') ?? '';
    if (value === null) this.entries.delete(name);
    else this.entries.set(name, value);
    this.#epochRecords++;
    return name === EPOCH_RECORD ? this.#endEpoch(offset, value) : undefined;
  }

  #endEpoch(offset: number, value: Buffer | null): EpochInputs | undefined {
    this.#epochs++;
    this.#largestEpoch = Math.max(this.#largestEpoch, this.#epochRecords);
    this.#epochRecords = 0;
    const epoch = parseEpoch(value);
    const where = `changelog partition ${this.partition}@${offset}`;
    if (epoch === undefined) {
      this.violations.add('epoch-incomplete', `${where}: an epoch record that cannot be read: ${value?.toString('utf8').slice(0, 200)}`);
      return undefined;
    }
    const back = this.#latest === undefined ? undefined : wentBack(this.#latest, epoch);
    if (back !== undefined) this.violations.add('epoch-went-back', `${where}: ${back}`);
    this.#latest = epoch;
    return epoch;
  }

  /** Called at the end. */
  finish(): void {
    if (this.#epochRecords > 0)
      this.violations.add(
        'epoch-incomplete',
        `changelog partition ${this.partition} ends with ${this.#epochRecords} records that no epoch record follows`,
      );
  }

  /** The values of keyed state. @throws RangeError on a key that has another layout */
  *values(): IterableIterator<StoredValue> {
    for (const [name, value] of this.entries) {
      if (!RESERVED.test(name) && !OPERATOR_STATE.test(name)) yield { ...parseStoredKey(Buffer.from(name, 'hex')), value };
    }
  }

  /** The entries of operator state. */
  *operatorEntries(): IterableIterator<Omit<StoredValue, 'keyGroup'>> {
    for (const [name, value] of this.entries) {
      const bytes = Buffer.from(name, 'hex');
      if (OPERATOR_STATE.test(name)) yield { stateId: bytes.readUInt32BE(2), key: bytes.toString('utf8', 6), value };
    }
  }
}

function parseEpoch(value: Buffer | null): EpochInputs | undefined {
  try {
    const parsed = JSON.parse(value!.toString('utf8')) as Partial<EpochInputs>;
    return typeof parsed.barrier === 'number' && Array.isArray(parsed.inputs) ? (parsed as EpochInputs) : undefined;
  } catch {
    return undefined;
  }
}

/** @returns what went back, in words */
function wentBack(before: EpochInputs, after: EpochInputs): string | undefined {
  if (after.barrier < before.barrier) return `barrier ${after.barrier} after ${before.barrier}`;
  for (const { topic, partition, offset } of before.inputs) {
    const now = after.inputs.find((input) => input.topic === topic && input.partition === partition);
    if (now === undefined || now.offset < offset) return `${topic}-${partition} at ${now?.offset ?? 'no offset'} after ${offset}`;
  }
  return undefined;
}

/** @throws RangeError on another layout */
export function parseStoredKey(bytes: Buffer): { readonly keyGroup: number; readonly stateId: number; readonly key: string } {
  let length = 0;
  let at = 6;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    if (byte === undefined || shift > 28) throw new RangeError(`not a stored key: ${bytes.toString('hex')}`);
    length += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (at + length !== bytes.length) throw new RangeError(`not the stored key of a value: ${bytes.toString('hex')}`);
  return { keyGroup: bytes.readUInt16BE(0), stateId: bytes.readUInt32BE(2), key: bytes.toString('utf8', at) };
}
