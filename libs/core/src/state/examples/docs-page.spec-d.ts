import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';

/** The part of a spec between its two marks, which the page of documentation shows. */
const EXAMPLE = /\/\/ --- the example ---\n([^]*?)\n\/\/ --- its end ---/;

/**
 * Expects that a page under docs/state shows the example of the spec word for word, so that what users copy is what runs.
 * @param spec its import.meta.url
 */
export function expectShownBy(page: string, spec: string): void {
  const example = EXAMPLE.exec(readFileSync(fileURLToPath(spec), 'utf8'))?.[1];
  expect(example).toBeDefined();
  const shown = readFileSync(fileURLToPath(new URL(`../../../../../docs/state/${page}.md`, import.meta.url)), 'utf8');
  expect(shown).toContain(`\`\`\`ts\n${example!.trim()}\n\`\`\``);
}
