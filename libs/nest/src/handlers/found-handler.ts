import type { HandlerParameter } from './nest-metadata.js';
import type { AnyStreamHandlerOptions } from './stream-handler.decorator.js';

/** A handler as it was found and checked: all that is needed to run it. */
export interface FoundHandler {
  /** Of its operator: `Class.method`, unless the user named it. */
  readonly name: string;
  readonly topic: string;
  readonly options: AnyStreamHandlerOptions;
  readonly instance: object;
  readonly method: (...args: unknown[]) => unknown;
  readonly parameters: readonly HandlerParameter[];
}

/** Whether it has state by key, and so needs one with every record. */
export const isKeyed = ({ options }: FoundHandler): boolean => options.state !== undefined && options.state.length > 0;
