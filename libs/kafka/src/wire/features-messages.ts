import { ProtocolReader } from './protocol-reader.js';
import { ProtocolWriter } from './protocol-writer.js';
import { type Api, FEATURES } from './wire.js';

/** Bodies of ApiVersions v3, as far as they say what a cluster has agreed on. */

export interface Features {
  readonly error: number;
  /** Least and highest version that the broker speaks, by the key of the call. */
  readonly versions: ReadonlyMap<number, readonly [number, number]>;
  /** Level that the cluster has agreed on, by the name of the feature. */
  readonly finalized: ReadonlyMap<string, number>;
}

const CLIENT = 'weir';
const CLIENT_VERSION = '1';
const FINALIZED_FEATURES = 2;

export const encodeFeatures = (): readonly Buffer[] => new ProtocolWriter(FEATURES.flexible).string(CLIENT).string(CLIENT_VERSION).tags().finish();

export function decodeFeatures(answer: Buffer): Features {
  const from = new ProtocolReader(FEATURES, answer);
  const error = from.int16();
  const versions = from.array(() => {
    const range = [from.int16(), [from.int16(), from.int16()]] as const;
    from.tags();
    return range;
  });
  from.int32(); // throttle time
  const finalized = new Map<string, number>();
  from.tags((tag) => {
    if (tag !== FINALIZED_FEATURES) return false;
    from.array(() => {
      finalized.set(from.string(), from.int16());
      from.int16(); // least level
      from.tags();
    });
    return true;
  });
  return { error, versions: new Map(versions), finalized };
}

/** Whether the broker speaks a call at this library's version. */
export function speaks({ versions }: Features, { key, version }: Api): boolean {
  const range = versions.get(key);
  return range !== undefined && range[0] <= version && version <= range[1];
}
