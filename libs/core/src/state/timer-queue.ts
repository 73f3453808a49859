/** A priority queue by time: a binary heap in an array (Williams, "Algorithm 232: Heapsort", 1964). Times that are equal come in any order. */
export class TimerQueue<T extends { readonly at: number }> {
  readonly #heap: T[] = [];

  get size(): number {
    return this.#heap.length;
  }

  /** The earliest; undefined if there is none. */
  peek(): T | undefined {
    return this.#heap[0];
  }

  push(item: T): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (heap[parent]!.at <= item.at) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = item;
  }

  /** Takes the earliest; undefined if there is none. */
  pop(): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first !== undefined && last !== undefined && heap.length > 0) this.#sink(last);
    return first;
  }

  /** Puts `item` where the hole at the top ends. */
  #sink(item: T): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = at * 2 + 1) {
      if (child + 1 < heap.length && heap[child + 1]!.at < heap[child]!.at) child++;
      if (heap[child]!.at >= item.at) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = item;
  }
}
