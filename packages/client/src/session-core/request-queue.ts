/** First in, first out, in a ring that grows: the line of requests that wait, and the line of those in flight. */
import { assert } from '@zoots/base';
import type { SessionRequest } from './request.js';

const CAPACITY_MIN = 64;

export class RequestQueue {
  #items: (SessionRequest | undefined)[] = new Array(CAPACITY_MIN);
  /** The capacity is a power of two. */
  #mask = CAPACITY_MIN - 1;
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(request: SessionRequest): void {
    if (this.#length > this.#mask) this.#grow();
    this.#items[(this.#head + this.#length) & this.#mask] = request;
    this.#length++;
  }

  /** Puts a request before all others. */
  unshift(request: SessionRequest): void {
    if (this.#length > this.#mask) this.#grow();
    this.#head = (this.#head - 1) & this.#mask;
    this.#items[this.#head] = request;
    this.#length++;
  }

  peek(): SessionRequest | undefined {
    return this.#length === 0 ? undefined : this.#items[this.#head];
  }

  shift(): SessionRequest | undefined {
    if (this.#length === 0) return undefined;
    const request = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    return request;
  }

  at(index: number): SessionRequest {
    assert(index >= 0 && index < this.#length, 'an index within the queue');
    return this.#items[(this.#head + index) & this.#mask] as SessionRequest;
  }

  /** Empties the queue, oldest first. */
  drain(): SessionRequest[] {
    const all: SessionRequest[] = [];
    for (let request = this.shift(); request !== undefined; request = this.shift()) all.push(request);
    return all;
  }

  #grow(): void {
    const grown: (SessionRequest | undefined)[] = new Array((this.#mask + 1) * 2);
    for (let i = 0; i < this.#length; i++) grown[i] = this.#items[(this.#head + i) & this.#mask];
    this.#items = grown;
    this.#mask = grown.length - 1;
    this.#head = 0;
  }
}
