export * from './disk.js';
