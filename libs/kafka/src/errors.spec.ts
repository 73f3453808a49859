import { describe, expect, it } from '@jest/globals';
import { WeirError } from '@weir/core';
import { errors } from './errors.js';

const { catalogue, ...factories } = errors;

describe('the catalogue of errors', () => {
  it('gives each error a code of its own', () => {
    const codes = catalogue.map(({ code }) => code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^(KAFKA|LOG)_[A-Z_]+$/);
  });

  it.each(Object.entries(factories))('renders %s with every fact of its example, and with advice', (_name, make) => {
    const definition = catalogue.find(({ code }) => code === (make as (context: never) => WeirError)({} as never).code)!;
    const error = (make as (context: never) => WeirError)(definition.example);
    expect(error).toBeInstanceOf(WeirError);
    expect(error.kind).toBe(definition.kind);
    expect(error.message).not.toMatch(/undefined|NaN|\[object/);
    expect(error.message).toMatch(/\. .+\. \[[A-Z_]+\]$/s);
    for (const fact of Object.values(definition.example)) {
      if (typeof fact === 'string' || typeof fact === 'number') expect(error.message).toContain(String(fact));
    }
  });
});
