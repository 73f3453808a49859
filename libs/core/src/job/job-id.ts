import { murmur2 } from '../model/murmur2.js';

/** The id of a job as Flink's clients want one: 32 hexadecimal digits, the same in every process. */
export function jobIdOf(applicationId: string, name: string): string {
  const parts = [0, 1, 2, 3].map((salt) => murmur2(Buffer.from(`${salt}\0${applicationId}\0${name}`, 'utf8')) >>> 0);
  return parts.map((part) => part.toString(16).padStart(8, '0')).join('');
}
