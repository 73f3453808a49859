import { type CommandRecord, CONTROL_VERSION, type ControlRecord } from '../control/control-record.js';
import { errors } from '../errors/errors.js';
import type { Clock } from '../ports/clock.js';

/**
 * Commands that this replica was asked for: appended to the control topic, where the coordinator, on whichever replica it is, carries out the
 * newest (C4). Whoever asked waits until the desired state names the command, or a later command has overtaken it.
 */
export interface CommandsHost {
  readonly clock: Clock;
  /** Name of this process. */
  readonly replica: string;
  append(command: CommandRecord): void;
}

export class JobCommands {
  readonly #waiting = new Map<string, { isThere: boolean; readonly resolve: () => void; readonly reject: (error: Error) => void }>();
  #closed = false;

  constructor(private readonly host: CommandsHost) {}

  /**
   * Resolves once the coordinator has recorded it; the tasks of the replicas begin or end as they read that.
   * @throws WeirError `restart-task` CONTROL_CLOSED if this process ends before: the command may be carried out all the same
   */
  give(command: CommandRecord['command']): Promise<void> {
    if (this.#closed) return Promise.reject(errors.controlClosed({ topic: 'of the job' }));
    const { clock, replica } = this.host;
    const id = clock.newId();
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { isThere: false, resolve, reject });
      this.host.append({ version: CONTROL_VERSION, id, command, replica, at: clock.wall() });
    });
  }

  /** A record of the control topic, in its order. */
  take(record: ControlRecord): void {
    for (const [id, waiting] of this.#waiting) {
      if (record.type === 'command' && record.command.id === id) waiting.isThere = true;
      const isOvertaken = record.type === 'command' && record.command.id !== id && waiting.isThere;
      if (!isOvertaken && !(record.type === 'desired' && record.desired.command === id)) continue;
      this.#waiting.delete(id);
      waiting.resolve();
    }
  }

  /** Nothing is read any more. */
  close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.values()) reject(errors.controlClosed({ topic: 'of the job' }));
    this.#waiting.clear();
  }
}
