import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

/**
 * The shape of core, read from its sources: what it imports, and which rooms know of which.
 *
 * A room may use what stands in a row above it:
 */
const ROWS: readonly (readonly string[])[] = [['model', 'errors'], ['ports', 'codec'], ['checkpoint', 'restart', 'state', 'membership', 'assignment', 'control'], ['topology'], ['task'], ['job']];

/** Imports against the rows that are there all the same, each with its reason. None is of a type's file that imports it back. */
const AGAINST_THE_ROWS: Readonly<Record<string, string>> = {
  'ports/telemetry.ts -> type job/job-status.ts': 'events name the status of a job',
  'ports/telemetry.ts -> type task/standby-status.ts': 'events name the status of a standby',
  'ports/telemetry.ts -> type task/task-status.ts': 'events name the status of a task',
  'restart/restart-strategy.ts -> type job/compile-settings.ts': 'a strategy is a compiled setting',
  'task/task-plan.ts -> type job/compile-settings.ts': 'a plan carries the compiled settings',
  'task/task-plan.ts -> job/internal-topics.ts': 'the names of tasks are made where all names are',
  'task/task.ts -> type job/job-overview.ts': 'a task gives its part of the overview',
  'task/restore-tracker.ts -> type job/job-overview.ts': 'a restore gives its part of the overview',
};

/** Rooms that decide, and leave acting to others. */
const DECIDING: readonly string[] = ['checkpoint', 'restart', 'assignment'];

const ROOT = dirname(fileURLToPath(import.meta.url));
const FILES = readdirSync(ROOT, { recursive: true })
  .map((name) => String(name).split(sep).join('/'))
  .filter((name) => name.endsWith('.ts') && !/\.spec(-d)?\.ts$/.test(name))
  .sort();

interface Import {
  readonly from: string;
  /** A file of core, or a package. */
  readonly to: string;
  /** Whether only types are imported: nothing is left of it at run time. */
  readonly isType: boolean;
}

const IMPORTS = FILES.flatMap((from) => importsOf(from, readFileSync(join(ROOT, from), 'utf8')));

function importsOf(from: string, source: string): Import[] {
  const statements = source.matchAll(/^(?:import|export)\s+(type\s)?([^;'"]*?)\bfrom\s+'([^']+)'|^import\s+'([^']+)'|\bimport\(\s*'([^']+)'/gm);
  return [...statements].map(([, type, names = '', named, bare, dynamic]) => {
    const target = named ?? bare ?? dynamic!;
    const listed = /^\s*\{(.*)\}\s*$/s.exec(names)?.[1]?.split(',').map((name) => name.trim()).filter((name) => name !== '');
    const isType = type !== undefined || (listed !== undefined && listed.length > 0 && listed.every((name) => name.startsWith('type ')));
    return { from, to: target.startsWith('.') ? normalize(join(dirname(from), target)).split(sep).join('/').replace(/\.js$/, '.ts') : target, isType };
  });
}

const roomOf = (file: string): string => file.split('/')[0]!;
const rowOf = (file: string): number => ROWS.findIndex((row) => row.includes(roomOf(file)));
const inRooms = IMPORTS.filter(({ from, to }) => from.includes('/') && to.includes('/') && !to.startsWith('node:'));

describe('core', () => {
  it('is found, whole', () => {
    expect(FILES.length).toBeGreaterThan(60);
    expect(IMPORTS.length).toBeGreaterThan(300);
  });

  it('imports its own files and node:buffer alone', () => {
    const known = new Set([...FILES, 'node:buffer']);
    expect(IMPORTS.filter(({ to }) => !known.has(to))).toEqual([]);
  });

  it('has one index, which nothing inside imports', () => {
    expect(FILES.filter((file) => file.endsWith('index.ts'))).toEqual(['index.ts']);
    expect(IMPORTS.filter(({ to }) => to === 'index.ts')).toEqual([]);
    const barrels = FILES.filter((file) => file !== 'index.ts' && /^export\s+(\*|\{[^}]*\})\s+from/m.test(readFileSync(join(ROOT, file), 'utf8')));
    expect(barrels).toEqual([]);
  });

  it('has no file of more than 500 lines', () => {
    const long = FILES.map((file) => [file, readFileSync(join(ROOT, file), 'utf8').split('\n').length - 1] as const).filter(([, lines]) => lines > 500);
    expect(long).toEqual([]);
  });

  it('has no file that imports itself by way of others, not even for types', () => {
    const next = new Map<string, string[]>();
    for (const { from, to } of IMPORTS) next.set(from, [...(next.get(from) ?? []), to]);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' -> '));
      if (done.has(file) || path.includes(file)) return;
      for (const to of next.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of FILES) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('the rooms of core', () => {
  it('are those that have a row', () => {
    const rooms = new Set(FILES.filter((file) => file.includes('/')).map(roomOf));
    expect([...rooms].sort()).toEqual(ROWS.flat().sort());
  });

  it('use those above them, but for imports that are listed with a reason', () => {
    const against = inRooms.filter(({ from, to }) => roomOf(from) !== roomOf(to) && rowOf(to) >= rowOf(from));
    const spelled = against.map(({ from, to, isType }) => `${from} -> ${isType ? 'type ' : ''}${to}`);
    expect([...new Set(spelled)].sort()).toEqual(Object.keys(AGAINST_THE_ROWS).sort());
  });

  it('that decide import nothing that acts: checkpoint, restart and assignment know ports by their types alone', () => {
    const acting = inRooms.filter(({ from, to, isType }) => DECIDING.includes(roomOf(from)) && !isType && ![...DECIDING, 'model', 'errors'].includes(roomOf(to)));
    expect(acting).toEqual([]);
  });
});
