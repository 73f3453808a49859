import type { Log, LogContext, LogFactory, LogReader } from '@weir/core';
import type { RunMeter } from './run-meter.js';

/** A log that tells the meter when the first rows of a topic are handed out: one comparison per chunk, nothing per record. */
export function meteredLog(inner: LogFactory, topic: string, meter: RunMeter): LogFactory {
  return {
    open: async (context: LogContext) => {
      const log = await inner.open(context);
      // The rest of the log as it is, with its own `this`.
      return new Proxy(log, {
        get: (target, name) => {
          if (name === 'openReader') return (options: Parameters<Log['openReader']>[0]) => meteredReader(target.openReader(options), topic, meter);
          const value: unknown = Reflect.get(target, name, target);
          return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
        },
      });
    },
  };
}

function meteredReader(reader: LogReader, topic: string, meter: RunMeter): LogReader {
  let hasBegun = false;
  return {
    assign: (partition, from) => reader.assign(partition, from),
    unassign: (partition) => reader.unassign(partition),
    pause: (partition) => reader.pause(partition),
    resume: (partition) => reader.resume(partition),
    close: () => reader.close(),
    take: () => {
      const chunk = reader.take();
      if (!hasBegun && chunk?.topic === topic && chunk.records.count > 0) {
        hasBegun = true;
        meter.onRecord();
      }
      return chunk;
    },
  };
}
