import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { NodeProcessHost } from './process-host.js';

class FakeProcess extends EventEmitter {
  exitCode: number | string | null | undefined;
  readonly exits: (number | undefined)[] = [];
  exit(code?: number): void {
    this.exits.push(code);
  }
}

describe('the process', () => {
  it('ends in order when Nest, done with its shutdown, raises the signal again', () => {
    const process = new FakeProcess();
    const nest = (): void => undefined;
    process.on('SIGTERM', nest);
    new NodeProcessHost(process).exitAfterShutdown('SIGTERM');
    process.off('SIGTERM', nest);
    process.emit('SIGTERM');
    expect(process.exits).toStrictEqual([undefined]);
  });

  it('does not end while Nest still listens: an impatient second signal cuts off no shutdown hook', () => {
    const process = new FakeProcess();
    process.on('SIGTERM', () => undefined);
    new NodeProcessHost(process).exitAfterShutdown('SIGTERM');
    process.emit('SIGTERM');
    expect(process.exits).toStrictEqual([]);
  });

  it('listens once for each signal, however many applications shut down', () => {
    const process = new FakeProcess();
    const host = new NodeProcessHost(process);
    host.exitAfterShutdown('SIGTERM');
    host.exitAfterShutdown('SIGTERM');
    host.exitAfterShutdown('SIGINT');
    expect([process.listenerCount('SIGTERM'), process.listenerCount('SIGINT')]).toEqual([1, 1]);
  });

  it('keeps a failure as the exit code, also against an exit with 0', () => {
    const process = new FakeProcess();
    const host = new NodeProcessHost(process);
    host.failWith(4);
    host.failWith(4);
    expect([process.exitCode, process.listenerCount('exit')]).toEqual([4, 1]);
    process.exitCode = 0;
    process.emit('exit', 0);
    expect(process.exitCode).toBe(4);
  });

  it('leaves another exit code than 0 alone', () => {
    const process = new FakeProcess();
    new NodeProcessHost(process).failWith(4);
    process.exitCode = 9;
    process.emit('exit', 9);
    expect(process.exitCode).toBe(9);
  });
});
