import { describe, expect, it } from '@jest/globals';
import type { ErrorContext, ErrorDefinition } from '@weir/core';
import { errors } from './errors.js';

const catalogue = errors.catalogue as unknown as readonly ErrorDefinition<ErrorContext>[];

describe('the catalogue of errors', () => {
  it('has each code once', () => {
    const codes = catalogue.map((definition) => definition.code);
    expect(new Set(codes).size).toBe(codes.length);
    for (const code of codes) expect(code).toMatch(/^[A-Z][A-Z_]+$/);
  });

  it.each(catalogue.map((definition) => [definition.code, definition] as const))('renders %s whole', (_code, definition) => {
    const advice = typeof definition.advice === 'string' ? definition.advice : definition.advice(definition.example);
    const text = `${definition.message(definition.example)} ${advice}`;
    expect(text).not.toMatch(/undefined|NaN|\[object/);
    expect(text).toMatch(/^[A-Z].*\. .*\.$/);
  });
});
