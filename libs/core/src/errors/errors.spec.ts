import { describe, expect, it } from '@jest/globals';
import { errors, problemOf, show, showBytes } from './errors.js';
import type { ErrorContext, ErrorDefinition, ErrorKind, WeirError } from './weir-error.js';

const { catalogue: definitions, ...factories } = errors;
const catalogue = definitions as unknown as readonly ErrorDefinition<ErrorContext>[];
const make = Object.values(factories) as ((context: ErrorContext) => WeirError)[];
const KINDS: Readonly<Record<ErrorKind, true>> = {
  retry: true,
  'restart-task': true,
  'rebuild-state': true,
  fenced: true,
  invalid: true,
  data: true,
  internal: true,
};

describe('the catalogue of errors', () => {
  it('has each code once, in upper case, and only kinds that receivers know', () => {
    const codes = catalogue.map((definition) => definition.code);
    expect(new Set(codes).size).toBe(codes.length);
    expect(codes.filter((code) => !/^[A-Z]+(_[A-Z]+)*$/.test(code))).toEqual([]);
    expect(catalogue.filter(({ kind }) => !(kind in KINDS))).toEqual([]);
  });

  it.each(catalogue.map((definition, i) => [definition.code, definition, make[i]!] as const))('renders %s whole', (code, { example, kind }, makeError) => {
    const thrown = makeError(example);
    expect([thrown.code, thrown.kind, thrown.context]).toEqual([code, kind, example]);
    expect(thrown.message).toMatch(/^\S.*\. [A-Z].*\. \[[A-Z_]+\]$/s);
    expect(thrown.message.endsWith(`. [${code}]`)).toBe(true);
    expect(thrown.message).not.toMatch(/undefined|null,|\[object|NaN|\.\.(?!\.)/);
    for (const fact of Object.values(example).flat()) expect(thrown.message).toContain(String(fact));
  });
});

describe('show', () => {
  it.each([
    ['text', '"text"'],
    [5, '5'],
    [5n, '5n'],
    [undefined, 'undefined'],
    [null, 'null'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [Symbol('s'), 'Symbol(s)'],
    [{ type: 'none' }, '{"type":"none"}'],
    [[1, 'a'], '[1,"a"]'],
  ])('shows %p as it came', (value, text) => {
    expect(show(value)).toBe(text);
  });

  it('shows what has no text of its own by its kind, and never throws', () => {
    const bare = Object.create(null) as object;
    const cycle: unknown[] = [];
    cycle.push(cycle);
    const hostile = {
      toJSON: (): never => {
        throw new Error('no');
      },
    };
    expect([bare, cycle, hostile, () => 0].map((value) => typeof show(value))).toEqual(['string', 'string', 'string', 'string']);
  });

  it('cuts what is long', () => {
    expect(show('x'.repeat(1_000))).toHaveLength(203);
  });
});

describe('showBytes', () => {
  it('shows printable bytes as text and others in hexadecimal, with their number', () => {
    expect(showBytes(Buffer.from('..a"b..'), 2, 5)).toBe('"a\\"b" (3 bytes)');
    expect(showBytes(Buffer.from([0xff, 0xfe, 0x80, 0x01]), 0, 4)).toBe('hex fffe8001 (4 bytes)');
    expect(showBytes(Buffer.from('ü'), 0, 2)).toBe('hex c3bc (2 bytes)');
    expect(showBytes(Buffer.alloc(0), 0, 0)).toBe('"" (0 bytes)');
  });

  it('shows at most 200 of them', () => {
    expect(showBytes(Buffer.alloc(201, 'a'), 0, 201)).toBe(`"${'a'.repeat(200)}"... (201 bytes)`);
    expect(showBytes(Buffer.alloc(200, 'a'), 0, 200)).toBe(`"${'a'.repeat(200)}" (200 bytes)`);
  });
});

describe('problemOf', () => {
  it('says what was thrown, whatever it was', () => {
    expect([new TypeError('x'), 'text', 5, undefined].map(problemOf)).toEqual(['x', 'text', '5', 'undefined']);
  });
});
