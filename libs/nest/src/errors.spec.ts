import { describe, expect, it } from '@jest/globals';
import type { ErrorDefinition } from '@weir/core';
import { nestErrors } from './errors.js';

const catalogue = nestErrors.catalogue as unknown as readonly ErrorDefinition<Record<string, unknown>>[];

describe('the catalogue of errors', () => {
  it('gives each error a code of its own', () => {
    const codes = catalogue.map((definition) => definition.code);
    expect(new Set(codes).size).toBe(codes.length);
  });

  it.each(catalogue.map((definition) => [definition.code, definition] as const))(
    'renders %s whole, with its facts and the next move',
    (_, definition) => {
      const advice = typeof definition.advice === 'string' ? definition.advice : definition.advice(definition.example);
      const text = `${definition.message(definition.example)} ${advice}`;
      expect(text).not.toMatch(/undefined|\[object|NaN/);
      expect(advice).toMatch(/\.$/);
      for (const fact of Object.values(definition.example).flat()) expect(text).toContain(String(fact));
    },
  );
});
