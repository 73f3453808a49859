/** What this file reads of V8's profile format: the tree of functions, and which of them each sample fell into. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface Cost {
  readonly name: string;
  readonly selfMs: number;
  /** Of the time in which anything ran. */
  readonly share: number;
}

export interface ProfileCosts {
  /** Time in which anything ran: without idling. */
  readonly busyMs: number;
  /** By package or native area, most costly first. */
  readonly areas: readonly Cost[];
  /** By function with its place, most costly first. */
  readonly functions: readonly Cost[];
}

const IDLE = '(idle)';

/** Where the time of a profile went, by the functions themselves, not by what they call. */
export function costsOf(profile: CpuProfile): ProfileCosts {
  const selfUs = new Map<number, number>();
  profile.samples.forEach((id, i) => selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, profile.timeDeltas[i]!)));
  const callers = new Map(profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.callFrame.functionName])));
  const functions = new Map<string, number>();
  const areas = new Map<string, number>();
  let busyUs = 0;
  for (const { id, callFrame } of profile.nodes) {
    const us = selfUs.get(id) ?? 0;
    if (us === 0 || callFrame.functionName === IDLE) continue;
    busyUs += us;
    const place = placeOf(callFrame.url);
    const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName;
    // What has no file is native, and often has no name either: who called it says what it was.
    const caller = name.startsWith('(') && name !== '(anonymous)' ? '' : ` for ${callers.get(id) ?? 'nobody'}`;
    add(functions, place === '' ? `${name}${caller}` : `${name}  ${place}:${callFrame.lineNumber + 1}`, us);
    add(areas, areaOf(name, callFrame.url, place), us);
  }
  return { busyMs: busyUs / 1_000, areas: costs(areas, busyUs), functions: costs(functions, busyUs) };
}

const add = (to: Map<string, number>, name: string, us: number): void => void to.set(name, (to.get(name) ?? 0) + us);

function costs(of: ReadonlyMap<string, number>, busyUs: number): Cost[] {
  return [...of].map(([name, us]) => ({ name, selfMs: us / 1_000, share: us / busyUs })).sort((a, b) => b.selfMs - a.selfMs);
}

/** The file without the way to the repository: `libs/core/task/task.js`, `kafkajs/src/...`; empty for what has no file. */
function placeOf(url: string): string {
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+\/.*)$/.exec(url)?.[1];
  if (library !== undefined) return library;
  const own = /\/(libs\/[a-z]+)\/dist\/(.*)$/.exec(url);
  if (own !== null) return `${own[1]}/${own[2]}`;
  return /\/dist\/(apps\/.*)$/.exec(url)?.[1] ?? url;
}

function areaOf(name: string, url: string, place: string): string {
  if (url === '') return name === '(garbage collector)' ? name : 'native code and V8';
  if (url.startsWith('node:')) return 'node';
  const parts = place.split('/');
  return parts[0]!.startsWith('@') || parts[0] === 'libs' || parts[0] === 'apps' ? parts.slice(0, 2).join('/') : parts[0]!;
}
