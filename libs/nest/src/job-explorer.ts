import { Injectable } from '@nestjs/common';
import { DiscoveryService, ModuleRef, ModulesContainer } from '@nestjs/core';
import type { JobDefinition } from '@weir/core';
import { describeValue } from './describe-value.js';
import { nestErrors } from './errors.js';
import { decoratedClasses, streamJobOptions } from './stream-job.decorator.js';
import type { StreamJobOptions } from './stream-job.decorator.js';
import { STREAM_OPTIONS } from './tokens.js';

/** A job class as it was found: its instance, and the module whose dependencies its functions may use. */
export interface FoundJob {
  readonly options: StreamJobOptions;
  readonly className: string;
  readonly definition: JobDefinition;
  readonly moduleRef: ModuleRef;
}

export interface Exploration {
  readonly jobs: readonly FoundJob[];
  /** Decorated classes that no module provides. */
  readonly forgotten: readonly string[];
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** Finds the jobs of an application among its providers, by their decorator. Decides nothing about running them. */
@Injectable()
export class JobExplorer {
  readonly #discovery: DiscoveryService;
  readonly #modules: ModulesContainer;

  constructor(discovery: DiscoveryService, modules: ModulesContainer) {
    this.#discovery = discovery;
    this.#modules = modules;
  }

  /**
   * @param others jobs that come from elsewhere, whose names count as well
   * @throws WeirError `invalid` for a decorated class that cannot be a job, for a name taken twice, and when all were forgotten
   */
  explore(others: readonly FoundJob[] = []): Exploration {
    const configured = [...this.#modules.values()].filter((module) => module.providers.has(STREAM_OPTIONS)).length;
    if (configured > 1) throw nestErrors.moduleTwice({ count: configured });

    const jobs: FoundJob[] = [];
    const provided = new Set<unknown>();
    for (const wrapper of this.#discovery.getProviders()) {
      const found = classOf(wrapper);
      if (found === undefined || wrapper.isAlias) continue;
      provided.add(found.target);
      jobs.push(foundJob(wrapper, found.target, found.options));
    }
    jobs.push(...others);
    mustHaveOwnNames(jobs);
    const forgotten = decoratedClasses()
      .filter((target) => !provided.has(target))
      .map((target) => target.name);
    if (jobs.length === 0 && forgotten.length > 0) throw nestErrors.jobNotProvided({ classes: forgotten });
    return { jobs, forgotten };
  }
}

/**
 * The decorated class behind a provider. Of a value or a factory's result only the instance knows its class; where a spec replaced the
 * instance by another, the token still does.
 */
function classOf(wrapper: Wrapper): { target: Function; options: StreamJobOptions } | undefined {
  const candidates: unknown[] = [(wrapper.instance as object | null | undefined)?.constructor, wrapper.metatype, wrapper.token];
  for (const target of candidates) {
    const options = streamJobOptions(target);
    if (options !== undefined) return { target: target as Function, options };
  }
  return undefined;
}

function foundJob(wrapper: Wrapper, target: Function, options: StreamJobOptions): FoundJob {
  const className = target.name;
  if (wrapper.isTransient) throw nestErrors.jobNotSingleton({ className, scope: 'transient' });
  if (!wrapper.isDependencyTreeStatic()) throw nestErrors.jobNotSingleton({ className, scope: 'request-scoped' });
  const definition = wrapper.instance as Partial<JobDefinition>;
  if (typeof definition.define !== 'function') {
    throw nestErrors.defineMissing({ className, actual: definition.define === undefined ? 'missing' : describeValue(definition.define) });
  }
  const moduleRef = wrapper.host!.providers.get(ModuleRef)!.instance as ModuleRef;
  return { options, className, definition: definition as JobDefinition, moduleRef };
}

function mustHaveOwnNames(jobs: readonly FoundJob[]): void {
  for (const { options } of jobs) {
    const same = jobs.filter((job) => job.options.name === options.name);
    if (same.length > 1) throw nestErrors.jobNameTwice({ name: options.name, classes: same.map((job) => job.className) });
  }
}
