import { errors } from './errors.js';

/** A duration in milliseconds, from 0 to a day. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function checkDuration(option: string, value: number): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 86_400_000)) throw refused(option, 'milliseconds from 0 to 86400000', value);
  return value;
}

/** A size in bytes. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function checkBytes(option: string, value: number): number {
  if (!Number.isSafeInteger(value) || value <= 0) throw refused(option, 'a whole number of bytes above 0', value);
  return value;
}

/** A number of things. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function checkCount(option: string, value: number): number {
  if (!Number.isSafeInteger(value) || value <= 0) throw refused(option, 'a whole number from 1', value);
  return value;
}

/** One of a few words. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function checkWord<W extends string>(option: string, value: W, allowed: readonly W[]): W {
  if (!allowed.includes(value)) throw refused(option, `one of ${allowed.join(', ')}`, value);
  return value;
}

/** Text that is not empty, without a zero byte. @throws WeirError `invalid` STATE_OPTION_INVALID */
export function checkPath(option: string, value: string): string {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw refused(option, 'the path of a directory', value);
  return value;
}

const refused = (option: string, expected: string, actual: unknown): Error =>
  errors.optionInvalid({ option, expected, actual: typeof actual === 'string' ? JSON.stringify(actual) : String(actual) });
