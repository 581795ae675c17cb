import type { VersionSource } from '../version-source.js';
import type { Registry } from './registry.js';

/** What a registry's pointer says, followed. */
export const registrySource = (registry: Registry): VersionSource => ({
  target: () => registry.current(),
  digest: (surface, version) => registry.digest(surface, version),
  directory: (surface, version) => registry.directory(surface, version),
  renew: (surface, version) => registry.renew(surface, version),
  watch: (onChange, onError) => registry.watch(onChange, onError),
});
