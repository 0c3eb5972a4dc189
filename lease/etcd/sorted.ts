/** A list sorted by key, which is handed out without copying and copied once before it is changed. */

/** From how many changes on all is sorted once instead of moving what lies behind each. */
const MANY = 50;

export class SortedByKey<T extends { readonly key: string }> {
  #items: T[];
  #shared = false;

  constructor(items: Iterable<T> = []) {
    this.#items = [...items].sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  }

  /** The items; what was handed out does not change any more. */
  list(): readonly T[] {
    this.#shared = true;
    return this.#items;
  }

  get(key: string): T | undefined {
    const item = this.#items[this.#find(key)];
    return item?.key === key ? item : undefined;
  }

  /** Puts items at their keys, and takes those away that are undefined. */
  update(changes: ReadonlyMap<string, T | undefined>): void {
    if (changes.size >= MANY) {
      const kept = this.#items.filter(({ key }) => !changes.has(key));
      const added = [...changes.values()].filter((item) => item !== undefined);
      this.#items = new SortedByKey([...kept, ...added]).#items;
      this.#shared = false;
      return;
    }
    for (const [key, item] of changes) {
      if (item === undefined) this.delete(key);
      else this.set(item);
    }
  }

  set(item: T): void {
    const i = this.#find(item.key);
    if (this.#items[i] === item) return;
    this.#own().splice(i, this.#items[i]?.key === item.key ? 1 : 0, item);
  }

  delete(key: string): void {
    const i = this.#find(key);
    if (this.#items[i]?.key === key) this.#own().splice(i, 1);
  }

  copy(): SortedByKey<T> {
    const copy = new SortedByKey<T>();
    copy.#items = this.#items;
    copy.#shared = this.#shared = true;
    return copy;
  }

  #own(): T[] {
    if (this.#shared) this.#items = this.#items.slice();
    this.#shared = false;
    return this.#items;
  }

  /** Where the first item stands whose key is not smaller. */
  #find(key: string): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#items[middle]!.key < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
