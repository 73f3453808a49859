import type { ByteWriter } from './byte-writer.js';
import { encodeHeaders, type RecordHeader } from './headers.js';

/**
 * Dead letters: how a record that could not be processed lies in a dead-letter topic. Key, value and timestamp are the record's own. Its
 * headers come first, and these follow, all text, always all of them and in this order:
 *
 *   weir-dead-letter   version of this form, now 1
 *   weir-job           name of the job
 *   weir-operator      name of the operator that could not process it
 *   weir-topic         where the record lies: topic,
 *   weir-partition       partition
 *   weir-offset          and offset
 *   weir-error-code    e.g. FUNCTION_FAILED
 *   weir-error         what happened, in words; at most 1,000 characters
 *
 * A dead letter that became one again (a job that reads a dead-letter topic) has several such blocks; the last one is that of the last time.
 *
 * History of the version: 1 the first.
 */
export interface DeadLetter {
  readonly job: string;
  readonly operator: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly errorCode: string;
  readonly error: string;
}

const VERSION = '1';
const MARK = 'weir-dead-letter';
const FIELDS = ['weir-job', 'weir-operator', 'weir-topic', 'weir-partition', 'weir-offset', 'weir-error-code', 'weir-error'] as const;
const ERROR_CHARACTERS = 1_000;

/** Appends the headers of a dead letter, behind the record's own. */
export function writeDeadLetterHeaders({ job, operator, topic, partition, offset, errorCode, error }: DeadLetter, out: ByteWriter): void {
  const values = [job, operator, topic, String(partition), String(offset), errorCode, error.slice(0, ERROR_CHARACTERS)];
  const block = FIELDS.map((key, i): RecordHeader => ({ key, value: Buffer.from(values[i]!, 'utf8') }));
  encodeHeaders([{ key: MARK, value: Buffer.from(VERSION) }, ...block], out);
}

/** What a dead letter says of its last failure, and the headers that the record had before; undefined for what is no dead letter. */
export function readDeadLetter(headers: readonly RecordHeader[]): { readonly letter: DeadLetter; readonly own: readonly RecordHeader[] } | undefined {
  const from = headers.length - FIELDS.length - 1;
  const [mark, ...block] = from < 0 ? [] : headers.slice(from);
  if (mark?.key !== MARK || text(mark) !== VERSION || block.some(({ key }, i) => key !== FIELDS[i])) return undefined;
  const [job, operator, topic, partition, offset, errorCode, error] = block.map(text) as [string, string, string, string, string, string, string];
  if (!WHOLE.test(partition) || !WHOLE.test(offset)) return undefined;
  return { letter: { job, operator, topic, partition: Number(partition), offset: Number(offset), errorCode, error }, own: headers.slice(0, from) };
}

const WHOLE = /^\d{1,15}$/;
const text = ({ value }: RecordHeader): string => (value === null ? '' : value.toString('utf8'));

/**
 * A mark of the replay in a partition of a dead-letter topic, written in the transaction that put its dead letters back: all below that offset
 * are done with. It has neither key nor value, and this one header.
 */
const REPLAYED = 'weir-replayed-to';

export function writeReplayMark(offset: number, out: ByteWriter): void {
  encodeHeaders([{ key: REPLAYED, value: Buffer.from(String(offset)) }], out);
}

/** The offset that a mark names; undefined for what is no mark. */
export function readReplayMark(headers: readonly RecordHeader[]): number | undefined {
  const [header] = headers;
  if (headers.length !== 1 || header!.key !== REPLAYED) return undefined;
  const offset = text(header!);
  return WHOLE.test(offset) ? Number(offset) : undefined;
}
