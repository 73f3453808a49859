/** What an alert says about its sensor. */
export interface Alert {
  readonly lastTemperature: number;
  readonly temperature: number;
  readonly timestamp: number;
}

const FIELDS = 3;

/** Alerts of one sensor, in order, three numbers each: a run may have millions of them. */
export class AlertColumns {
  #numbers = new Float64Array(8 * FIELDS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push({ lastTemperature, temperature, timestamp }: Alert): void {
    const at = this.#count * FIELDS;
    if (at === this.#numbers.length) {
      const grown = new Float64Array(at * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[at] = lastTemperature;
    this.#numbers[at + 1] = temperature;
    this.#numbers[at + 2] = timestamp;
    this.#count++;
  }

  at(i: number): Alert {
    const at = i * FIELDS;
    return { lastTemperature: this.#numbers[at]!, temperature: this.#numbers[at + 1]!, timestamp: this.#numbers[at + 2]! };
  }

  all(): Alert[] {
    return Array.from({ length: this.#count }, (_, i) => this.at(i));
  }

  equals(other: AlertColumns): boolean {
    if (this.#count !== other.#count) return false;
    const length = this.#count * FIELDS;
    for (let i = 0; i < length; i++) if (this.#numbers[i] !== other.#numbers[i]) return false;
    return true;
  }
}

export const alertText = ({ lastTemperature, temperature, timestamp }: Alert): string =>
  `${lastTemperature} -> ${temperature} at ${timestamp}`;

/** An alert as the service must write it, to the byte. */
export const alertJson = (id: string, { lastTemperature, temperature, timestamp }: Alert): string =>
  JSON.stringify({ id, lastTemperature, temperature, timestamp });
