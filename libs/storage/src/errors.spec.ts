import { describe, expect, it } from '@jest/globals';
import type { ErrorDefinition, WeirError } from '@weir/core';
import { errors } from './errors.js';

const { catalogue, ...factories } = errors;
const definitions = catalogue as readonly unknown[] as readonly ErrorDefinition<Record<string, unknown>>[];
const make = Object.values(factories) as readonly ((context: unknown) => WeirError)[];

describe('the error catalogue of the state backends', () => {
  it('has a code of its own for each error', () => {
    expect(new Set(definitions.map(({ code }) => code)).size).toBe(definitions.length);
    for (const { code } of definitions) expect(code).toMatch(/^(STATE|SNAPSHOTS?)_[A-Z_]+$/);
  });

  const cases = definitions.map((definition, i) => [definition.code, definition, make[i]!] as const);
  it.each(cases)('renders %s with its facts and its advice', (code, definition, factory) => {
    const rendered = factory(definition.example);
    expect(rendered).toMatchObject({ code, kind: definition.kind, context: definition.example });
    expect(rendered.message).not.toMatch(/undefined|\[object|NaN/);
    for (const fact of Object.values(definition.example)) expect(rendered.message).toContain(String(fact));
    expect(rendered.message).toMatch(/\. [A-Z].*\. \[(STATE|SNAPSHOTS?)_/);
  });
});
