/**
 * Service discovery: instances of services register themselves, others find them.
 *
 *     const discovery = new ServiceDiscovery(zk, '/services');
 *     await using registration = await discovery.register({ name: 'mail', address: '10.0.0.7', port: 8080 });
 *
 *     await using mail = await discovery.provider('mail', { strategy: roundRobin() });
 *     const instance = mail.pick();               // null if there is none
 *     …                                           // on failure: mail.noteError(instance)
 *
 * Guaranteed: an instance can be found as long as its registration is open and its session alive; it is registered again after the
 * loss of a session. An instance that is killed is found until its session expires: providers can leave it out sooner,
 * see `noteError()`.
 *
 * When things fail: without a connection caches and providers go on with what they know. The rest is as for
 * {@link PersistentNode} and {@link ChildrenCache}, which this is made of.
 *
 * Layout: the child `<name>/<id>` of the base path for each instance, JSON as in `service-instance.ts`; ephemeral if it is DYNAMIC. The
 * same as Curator's x-discovery with its JSON serializer: both can register and find the other's instances.
 */
import { randomUUID } from 'node:crypto';
import { type CallOptions, type Codec, childOf, type Namespace, NoNodeError } from '@zoots/client';
import { Deadline } from '../deadline.js';
import { PersistentNode } from '../persistent-node.js';
import { ServiceCache } from './service-cache.js';
import { instanceCodec, type ServiceInstance, type ServiceType } from './service-instance.js';
import { ServiceProvider, type ServiceProviderOptions } from './service-provider.js';

/** What must be said of an instance; the rest has defaults. */
export type NewInstance<P> = { readonly name: string; readonly serviceType?: ServiceType | undefined } & Partial<
  Omit<ServiceInstance<P>, 'name' | 'serviceType'>
>;

export interface ServiceDiscoveryOptions<P> {
  /** Default: the JSON of Curator. */
  readonly codec?: Codec<ServiceInstance<P>> | undefined;
}

export class ServiceDiscovery<P = unknown> {
  readonly path: string;
  readonly #zk: Namespace;
  readonly #codec: Codec<ServiceInstance<P>>;

  constructor(zk: Namespace, path: string, options: ServiceDiscoveryOptions<P> = {}) {
    this.#zk = zk;
    this.path = path;
    this.#codec = options.codec ?? instanceCodec<P>();
  }

  /** Registers an instance; resolves when it can be found. A random id is made if none is given. */
  async register(instance: NewInstance<P>, options?: CallOptions): Promise<Registration<P>> {
    const full = complete(instance);
    const deadline = new Deadline(options, 'discovery.register', this.#pathOf(full.name, full.id));
    const registration = new Registration(this.#zk, this.#pathOf(full.name, full.id), full, this.#codec);
    try {
      await deadline.wait<void>((resolve, reject) => {
        registration.ready.then(resolve, reject);
        return () => {};
      });
      return registration;
    } catch (error) {
      await registration.close();
      throw error;
    }
  }

  /** Names of the services that have or had instances, sorted. */
  async services(options?: CallOptions): Promise<string[]> {
    return (await this.#children(this.path, options)).sort();
  }

  /** The instances of a service as the server knows them now. For more than a few questions take a cache or a provider. */
  async instances(name: string, options?: CallOptions): Promise<ServiceInstance<P>[]> {
    const ids = await this.#children(childOf(this.path, name), options);
    const found = await Promise.all(ids.sort().map((id) => this.instance(name, id, options)));
    return found.filter((instance) => instance !== null);
  }

  /** Null if there is none. */
  async instance(name: string, id: string, options?: CallOptions): Promise<ServiceInstance<P> | null> {
    try {
      return this.#codec.decode((await this.#zk.get(this.#pathOf(name, id), options)).data);
    } catch (error) {
      if (error instanceof NoNodeError) return null;
      throw error;
    }
  }

  /** A copy of the instances of a service that follows the server; resolves when it is loaded. */
  async cache(name: string): Promise<ServiceCache<P>> {
    const cache = new ServiceCache(this.#zk, childOf(this.path, name), this.#codec);
    try {
      await cache.ready;
      return cache;
    } catch (error) {
      await cache.close();
      throw error;
    }
  }

  /** Picks instances of a service; resolves when those that are there are known. */
  async provider(name: string, options: ServiceProviderOptions<P> = {}): Promise<ServiceProvider<P>> {
    return new ServiceProvider(await this.cache(name), options);
  }

  #pathOf(name: string, id: string): string {
    return childOf(childOf(this.path, name), id);
  }

  async #children(path: string, options: CallOptions | undefined): Promise<string[]> {
    try {
      return await this.#zk.children(path, options);
    } catch (error) {
      if (error instanceof NoNodeError) return [];
      throw error;
    }
  }
}

/** An instance that is registered for as long as this is open. */
export class Registration<P = unknown> implements AsyncDisposable {
  /** Resolves when it is registered for the first time. */
  readonly ready: Promise<void>;
  readonly #node: PersistentNode;
  readonly #codec: Codec<ServiceInstance<P>>;
  #instance: ServiceInstance<P>;

  /** Made by {@link ServiceDiscovery.register}. */
  constructor(zk: Namespace, path: string, instance: ServiceInstance<P>, codec: Codec<ServiceInstance<P>>) {
    this.#instance = instance;
    this.#codec = codec;
    this.#node = new PersistentNode(zk, path, {
      data: codec.encode(instance),
      mode: instance.serviceType === 'DYNAMIC' ? 'ephemeral' : 'persistent',
      keepOnClose: instance.serviceType === 'PERMANENT',
      containerParents: true,
    });
    this.ready = this.#node.ready;
  }

  get instance(): ServiceInstance<P> {
    return this.#instance;
  }

  /** Whether it can be found now, as far as this client knows. */
  get isRegistered(): boolean {
    return this.#node.isPresent;
  }

  /** Changes what is registered: address, payload, `enabled` … */
  async update(
    change: Partial<Omit<ServiceInstance<P>, 'name' | 'id' | 'serviceType'>>,
    options?: CallOptions,
  ): Promise<void> {
    this.#instance = { ...this.#instance, ...change };
    await this.#node.set(this.#codec.encode(this.#instance), options);
  }

  /** Unregisters it, unless it is PERMANENT. */
  close(): Promise<void> {
    return this.#node.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function complete<P>(instance: NewInstance<P>): ServiceInstance<P> {
  const { name, id = randomUUID(), address = null, port = null, sslPort = null, payload = null } = instance;
  const { registrationTimeUTC = Date.now(), serviceType = 'DYNAMIC', uriSpec = null, enabled = true } = instance;
  if (name === '' || name.includes('/') || id === '' || id.includes('/')) {
    throw new Error(`service "${name}", id "${id}": both are parts of a path, not empty and without slashes`);
  }
  return { name, id, address, port, sslPort, payload, registrationTimeUTC, serviceType, uriSpec, enabled };
}
