/**
 * Picks an instance of a service for each call: by a strategy, and without those that failed lately.
 *
 *     await using mail = await discovery.provider('mail', { strategy: sticky(random()) });
 *     const instance = mail.pick();
 *     try { await call(instance) } catch { mail.noteError(instance) }
 */
import type { CallOptions } from '@zoots/client';
import type { ServiceCache } from './service-cache.js';
import type { ServiceInstance } from './service-instance.js';

/** Picks one of at least one instance; it may remember things between its calls, so every provider needs its own. */
export type Strategy = <I extends ServiceInstance>(instances: readonly I[]) => I;

/** One after the other. */
export function roundRobin(): Strategy {
  let next = 0;
  return <I>(instances: readonly I[]): I => instances[next++ % instances.length] as I;
}

/** `dice`: [0, 1), for tests. */
export function random(dice: () => number = Math.random): Strategy {
  return <I>(instances: readonly I[]): I => instances[Math.floor(dice() * instances.length)] as I;
}

/** The same one as long as it is there; then the one that `first` picks. */
export function sticky(first: Strategy = random()): Strategy {
  let id: string | null = null;
  return <I extends ServiceInstance>(instances: readonly I[]): I => {
    const ours = instances.find((instance) => instance.id === id) ?? first(instances);
    id = ours.id;
    return ours;
  };
}

/** When an instance is taken for down: after so many errors within so long. It is tried again when that time is over. */
export interface DownPolicy {
  /** Default 2. */
  readonly errorsMax?: number | undefined;
  /** From the first error on. Default 30,000. */
  readonly timeoutMs?: number | undefined;
}

export interface ServiceProviderOptions<P> {
  /** Default: round-robin. */
  readonly strategy?: Strategy | undefined;
  /** Instances to choose from. Default: all that are enabled. */
  readonly filter?: ((instance: ServiceInstance<P>) => boolean) | undefined;
  readonly down?: DownPolicy | undefined;
  /** Milliseconds, for tests. Default: `performance.now`. */
  readonly nowMs?: (() => number) | undefined;
}

interface Errors {
  readonly sinceMs: number;
  count: number;
}

export class ServiceProvider<P = unknown> implements AsyncDisposable {
  readonly #cache: ServiceCache<P>;
  readonly #strategy: Strategy;
  readonly #filter: (instance: ServiceInstance<P>) => boolean;
  readonly #errorsMax: number;
  readonly #timeoutMs: number;
  readonly #nowMs: () => number;
  /** By instance id and registration time: one that registers anew begins anew. */
  readonly #errors = new Map<string, Errors>();

  /** Made by {@link ServiceDiscovery.provider}. */
  constructor(cache: ServiceCache<P>, options: ServiceProviderOptions<P>) {
    this.#cache = cache;
    this.#strategy = options.strategy ?? roundRobin();
    this.#filter = options.filter ?? (() => true);
    this.#errorsMax = options.down?.errorsMax ?? 2;
    this.#timeoutMs = options.down?.timeoutMs ?? 30_000;
    this.#nowMs = options.nowMs ?? (() => performance.now());
  }

  /** Instances that may be picked now. */
  get instances(): readonly ServiceInstance<P>[] {
    this.#forgetOldErrors();
    return this.#cache.instances.filter(
      (instance) => instance.enabled && this.#filter(instance) && !this.#isDown(instance),
    );
  }

  /** Null if there is none. */
  pick(): ServiceInstance<P> | null {
    const { instances } = this;
    return instances.length === 0 ? null : this.#strategy(instances);
  }

  /** A call to this instance failed. Other processes hear nothing of it. */
  noteError(instance: ServiceInstance<P>): void {
    this.#forgetOldErrors();
    const key = keyOf(instance);
    const errors = this.#errors.get(key);
    if (errors === undefined) this.#errors.set(key, { sinceMs: this.#nowMs(), count: 1 });
    else errors.count++;
  }

  /** Resolves when all instances that were registered before the call are known. */
  sync(options?: CallOptions): Promise<void> {
    return this.#cache.sync(options);
  }

  close(): Promise<void> {
    return this.#cache.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #isDown(instance: ServiceInstance<P>): boolean {
    return (this.#errors.get(keyOf(instance))?.count ?? 0) >= this.#errorsMax;
  }

  #forgetOldErrors(): void {
    const nowMs = this.#nowMs();
    for (const [key, { sinceMs }] of this.#errors) if (nowMs - sinceMs >= this.#timeoutMs) this.#errors.delete(key);
  }
}

function keyOf(instance: ServiceInstance): string {
  return `${instance.id} ${instance.registrationTimeUTC}`;
}
