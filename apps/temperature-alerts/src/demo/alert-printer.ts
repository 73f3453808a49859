import { json, type Log, type LogReader, type Offset } from '@weir/core';
import type { TemperatureAlert } from '../temperature-change-alert.js';

/** Follows the output topic from its present end, and prints each alert once it is committed. */
export class AlertPrinter {
  readonly #codec = json<TemperatureAlert>();
  readonly #reader: LogReader;
  #printed = 0;

  private constructor(log: Log, private readonly print: (line: string) => void) {
    this.#reader = log.openReader({ wake: () => this.#takeAll(), bufferBytes: 1024 * 1024 });
  }

  static async follow(log: Log, topic: string, partitions: number, print: (line: string) => void): Promise<AlertPrinter> {
    const printer = new AlertPrinter(log, print);
    const ends = await log.endPositions(Array.from({ length: partitions }, (_, partition) => ({ topic, partition })));
    for (const { partition, lastStable } of ends) printer.#follow(topic, partition, lastStable);
    return printer;
  }

  #follow(topic: string, partition: number, from: Offset): void {
    this.#reader.assign({ topic, partition }, from);
  }

  get printed(): number {
    return this.#printed;
  }

  #takeAll(): void {
    for (let chunk = this.#reader.take(); chunk !== undefined; chunk = this.#reader.take()) {
      for (let row = 0; row < chunk.records.count; row++) {
        const value = chunk.records.value(row);
        if (value === null) continue;
        this.print(lineOf(this.#codec.decode(value, 0, value.length)));
        this.#printed++;
      }
    }
  }

  close(): Promise<void> {
    return this.#reader.close();
  }
}

function lineOf({ id, lastTemperature, temperature, timestamp }: TemperatureAlert): string {
  const change = temperature - lastTemperature;
  const sign = change < 0 ? '-' : '+';
  const at = new Date(timestamp * 1000).toISOString().slice(0, 16).replace('T', ' ');
  return `ALERT  ${id.padEnd(14)} ${lastTemperature.toFixed(1).padStart(6)} -> ${temperature.toFixed(1).padStart(6)}  (${sign}${Math.abs(change).toFixed(1)})  ${at}`;
}
