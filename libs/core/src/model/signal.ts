/**
 * What a loop waits on at its one await point: raised by anything that gives it work, lowered when the wait ends. A signal raised while
 * nobody waits is kept, so no wake-up is lost between looking for work and waiting.
 */
export class Signal {
  #raised = false;
  #resolve: (() => void) | undefined;

  /** A field, so that it can be handed out as a callback. */
  readonly raise = (): void => {
    if (this.#resolve === undefined) {
      this.#raised = true;
      return;
    }
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve();
  };

  /** Resolves once raised. One waiter at a time. */
  wait(): Promise<void> {
    if (this.#raised) {
      this.#raised = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
}
