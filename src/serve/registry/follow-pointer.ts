/** Notices that a registry's pointer changed. */
import { IoError } from '../../config/errors.js';
import type { RegistryStorage } from './registry-storage.js';

/**
 * Calls back once at first, so that no change is missed between a read of the pointer and this call, then soon after each change.
 * `onError` is called once for every time that the pointer cannot be seen: until it can be seen again, the last one holds. A
 * pointer that is gone counts as one that cannot be seen: folders get unmounted, and nobody takes a pointer away.
 */
export const followPointer = (storage: RegistryStorage, location: string, pollMs: number, onChange: () => void, onError: (error: unknown) => void): { close(): void } => {
  let last: string | undefined;
  let isFirst = true;
  let isFailing = false;
  let isClosed = false;
  let isLooking = false;
  const look = async (): Promise<void> => {
    if (isLooking || isClosed) return;
    isLooking = true;
    try {
      const tag = (await storage.readPointer())?.tag;
      if (tag === undefined && last !== undefined) throw pointerIsGone(location);
      isFailing = false;
      const isNews = isFirst || tag !== last;
      isFirst = false;
      last = tag;
      if (isNews && !isOver()) onChange();
    } catch (error) {
      if (!isFailing && !isOver()) onError(error);
      isFailing = true;
    } finally {
      isLooking = false;
    }
  };
  const isOver = (): boolean => isClosed;
  const timer = setInterval(() => void look(), pollMs);
  timer.unref();
  const events = storage.onEvent?.(() => void look());
  void look();
  return {
    close: () => {
      isClosed = true;
      clearInterval(timer);
      events?.close();
    },
  };
};

/** What a registry that had a pointer and has none says. */
export const pointerIsGone = (location: string): IoError =>
  new IoError(`the pointer of ${location} is gone`, { where: `${location}/current.json`, expected: 'the pointer that was there before', fix: 'check that the registry is mounted, or promote a version again' });
