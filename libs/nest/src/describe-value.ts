const MAX_LENGTH = 80;

/** What came, in a few words, for messages about wrong options: `"soon"`, `12.5`, `an object with dir`, `nothing`. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return JSON.stringify(value.length > MAX_LENGTH ? `${value.slice(0, MAX_LENGTH)}...` : value);
  if (typeof value === 'function') return `the function ${value.name || 'without a name'}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const keys = Object.keys(value);
    return keys.length === 0 ? 'an object without fields' : `an object with ${keys.slice(0, 8).join(', ')}`;
  }
  return typeof value === 'symbol' ? value.toString() : `${value as number | boolean | bigint | null}`;
}
