import { coordinatorId, type Log, type LogFactory, type LogTransaction, type LogWriter, type StateBackend, type StateBackendFactory, type StateStore } from '@weir/core';

/** What takes the place of some methods of a transaction. */
export type WrapTransaction = (transaction: LogTransaction, writer: LogWriter) => Partial<LogTransaction>;

/** Puts something between a job and its log. */
export const wrapLog = (factory: LogFactory, wrap: (log: Log) => Partial<Log>): LogFactory => ({
  open: async (context) => {
    const log = await factory.open(context);
    return over(log, wrap(log));
  },
});

/** The same for every transaction of a task. Those of the coordinator are left alone: they have neither outputs, nor state, nor offsets. */
export const wrapTransactions = (factory: LogFactory, wrap: WrapTransaction): LogFactory =>
  wrapLog(factory, (log) => ({
    openWriter: async (options) => {
      const writer = await log.openWriter(options);
      if (options.transactionalId.endsWith(coordinatorId(''))) return writer;
      return over(writer, {
        begin: () => {
          const transaction = writer.begin();
          return over(transaction, wrap(transaction, writer));
        },
      });
    },
  }));

/** The same for every store. */
export const wrapStores = (factory: StateBackendFactory, wrap: (store: StateStore, task: number) => Partial<StateStore>): StateBackendFactory => ({
  kind: factory.kind,
  open: async (maxStores) => {
    const backend = await factory.open(maxStores);
    const open: StateBackend['open'] = async (scope) => {
      const store = await backend.open(scope);
      return over(store, wrap(store, scope.task));
    };
    return over(backend, { open });
  },
});

/** `changes` where it has a member, `base` elsewhere, with its private fields intact. */
export function over<T extends object>(base: T, changes: Partial<T>): T {
  return new Proxy(base, {
    get: (target, name) => {
      if (name in changes) return (changes as Record<PropertyKey, unknown>)[name];
      const value = Reflect.get(target, name, target) as unknown;
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
  });
}
