import type { Type } from '@nestjs/common';
import type { ModuleRef } from '@nestjs/core';
import type { JobDefinition } from '@weir/core';
import { nestErrors } from './errors.js';

/**
 * Functions whose dependencies come from Nest.
 *
 * An operator asks its factory for a new function for each task and each restart, at once, while Nest resolves dependencies
 * asynchronously. So the two are parted: Nest resolves the dependencies of the class once, before the job starts; each call of the
 * factory then constructs a new instance from them. Instances are never shared between tasks; their dependencies are, also transient
 * ones.
 *
 * Steps: 1. the runner runs `define` within a scope; 2. `inject` notes its class there and returns the factory; 3. the runner lets the
 * scope resolve what was noted, as seen from the module that provides the job; 4. the job starts, and the factory works.
 */
interface Resolved {
  readonly parameters: readonly unknown[];
  /** What Nest injects into properties. */
  readonly properties: Readonly<Record<string, unknown>>;
}

let current: InjectionScope | undefined;

/**
 * A factory of instances of `type`, one per task, for use inside `define` in place of `() => new TheFunction(...)`. The class is no
 * provider and needs no decorator but one that makes TypeScript keep its parameter types, such as `@Injectable()`.
 * @throws WeirError `invalid` outside of `define`
 */
export function inject<T extends object>(type: Type<T>): () => T {
  if (current === undefined) throw nestErrors.injectOutsideDefine({ className: type.name });
  return current.factoryOf(type);
}

/** What one job injects. */
export class InjectionScope {
  readonly #job: string;
  readonly #moduleRef: ModuleRef;
  readonly #noted = new Map<Type<object>, Resolved | undefined>();

  constructor(job: string, moduleRef: ModuleRef) {
    this.#job = job;
    this.#moduleRef = moduleRef;
  }

  /** The definition, with `inject` usable while its `define` runs. */
  around(definition: JobDefinition): JobDefinition {
    return {
      define: (streams): void => {
        const outer = current;
        current = this; // eslint-disable-line @typescript-eslint/no-this-alias -- define is synchronous: nothing else runs meanwhile
        try {
          definition.define(streams);
        } finally {
          current = outer;
        }
      },
    };
  }

  factoryOf<T extends object>(type: Type<T>): () => T {
    if (!this.#noted.has(type)) this.#noted.set(type, undefined);
    return () => {
      const resolved = this.#noted.get(type);
      if (resolved === undefined) throw nestErrors.injectTooEarly({ className: type.name, job: this.#job });
      return Object.assign(new type(...resolved.parameters), resolved.properties);
    };
  }

  /** @throws WeirError `invalid` that names the class whose dependencies are missing */
  async resolve(): Promise<void> {
    for (const [type, resolved] of this.#noted) {
      if (resolved !== undefined) continue;
      try {
        this.#noted.set(type, await dependenciesOf(type, this.#moduleRef));
      } catch (cause) {
        throw nestErrors.injectUnresolved({ className: type.name, job: this.#job }, cause);
      }
    }
  }
}

/**
 * Lets Nest create a stand-in that has the metadata of `type` (by its prototype) and keeps what its constructor is called with: so
 * tokens, optional dependencies and module boundaries are Nest's own affair.
 */
async function dependenciesOf(type: Type<object>, moduleRef: ModuleRef): Promise<Resolved> {
  let parameters: readonly unknown[] = [];
  class StandIn {
    constructor(...given: unknown[]) {
      parameters = given;
    }
  }
  Object.setPrototypeOf(StandIn, type);
  Object.defineProperty(StandIn, 'name', { value: type.name });
  const properties = { ...(await moduleRef.create(StandIn)) } as Record<string, unknown>;
  return { parameters, properties };
}
