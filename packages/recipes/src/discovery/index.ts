/** Service discovery; begin with `service-discovery.ts`. */
export * from './service-cache.js';
export * from './service-discovery.js';
export * from './service-instance.js';
export * from './service-provider.js';
