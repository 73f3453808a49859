/**
 * Errors by what their receiver must do. There are few kinds and they never grow with the number of causes; the code
 * says which cause it was. (After slatedb's RFC 7 on API errors.)
 *
 * | kind           | the receiver                                                                              |
 * | -------------- | ----------------------------------------------------------------------------------------- |
 * | `retry`        | does the same again after a pause: nothing happened yet                                   |
 * | `restart-task` | drops what the task has not committed, and starts it again from its last commit           |
 * | `rebuild-state`| throws the local store away and rebuilds it from the changelog                            |
 * | `fenced`       | stops writing: another owner has taken over                                               |
 * | `invalid`      | stops the job: a setting, topology or call is wrong, and trying again cannot help         |
 * | `data`         | applies the policy for bad records: bytes that came from outside cannot be understood     |
 * | `internal`     | stops the job: an invariant of Weir itself does not hold; please report it                |
 */
export type ErrorKind = 'retry' | 'restart-task' | 'rebuild-state' | 'fenced' | 'invalid' | 'data' | 'internal';

export type ErrorContext = Readonly<Record<string, unknown>>;

export class WeirError extends Error {
  override readonly name = 'WeirError';

  /**
   * @param code stable, upper case with underscores: what programs and run-books match on
   * @param context the facts of this occurrence, as fields
   */
  constructor(
    readonly kind: ErrorKind,
    readonly code: string,
    message: string,
    readonly context: ErrorContext = {},
    options?: ErrorOptions,
  ) {
    super(`${message} [${code}]`, options);
  }
}

/** One entry of a catalogue: `message` names the act, the object, what was expected and what came; `advice` the next move. */
export interface ErrorDefinition<C extends ErrorContext> {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: (context: C) => string;
  readonly advice: string | ((context: NoInfer<C>) => string);
  /** A context as it occurs, from which the catalogue's spec renders the message. */
  readonly example: NoInfer<C>;
}

type Factories<D> = {
  readonly [K in keyof D]: D[K] extends ErrorDefinition<infer C> ? (context: C, cause?: unknown) => WeirError : never;
} & { readonly catalogue: readonly ErrorDefinition<never>[] };

/** Types one entry of a catalogue by its example. */
export const error = <C extends ErrorContext>(definition: ErrorDefinition<C>): ErrorDefinition<C> => definition;

/** Makes a factory per entry: `errors.topicMissing({ topic }, cause)`. Each lib has one catalogue, in its errors file. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- contexts differ by entry; Factories gives each its own type back
export function defineErrors<D extends Record<string, ErrorDefinition<any>>>(definitions: D): Factories<D> {
  const factories: Record<string, unknown> = { catalogue: Object.values(definitions) };
  for (const [name, definition] of Object.entries(definitions)) {
    factories[name] = (context: ErrorContext, cause?: unknown) => {
      const advice = typeof definition.advice === 'string' ? definition.advice : definition.advice(context);
      const message = `${definition.message(context)} ${advice}`;
      return new WeirError(definition.kind, definition.code, message, context, cause === undefined ? undefined : { cause });
    };
  }
  return factories as Factories<D>;
}

/** Whether `thrown` is a WeirError, optionally of one kind. */
export function isWeirError(thrown: unknown, kind?: ErrorKind): thrown is WeirError {
  return thrown instanceof WeirError && (kind === undefined || thrown.kind === kind);
}
