export type ByteCache = {
  readonly get: (key: string) => Uint8Array<ArrayBuffer> | undefined;
  readonly set: (key: string, bytes: Uint8Array<ArrayBuffer>) => void;
  /** The sum of the lengths of what is held. */
  readonly bytes: () => number;
};

/** Keeps what was used last, of at most `maxBytes` bytes in all. What is longer than that is not kept. */
export function createByteCache(maxBytes: number): ByteCache {
  // A Map iterates in the order of insertion: what is used is inserted anew, so the first one is the oldest.
  const entries = new Map<string, Uint8Array<ArrayBuffer>>();
  let total = 0;
  const remove = (key: string) => {
    total -= entries.get(key)?.length ?? 0;
    entries.delete(key);
  };
  return {
    get(key) {
      const bytes = entries.get(key);
      if (bytes === undefined) return undefined;
      entries.delete(key);
      entries.set(key, bytes);
      return bytes;
    },
    set(key, bytes) {
      remove(key);
      if (bytes.length > maxBytes) return;
      entries.set(key, bytes);
      total += bytes.length;
      for (const oldest of entries.keys()) {
        if (total <= maxBytes) break;
        remove(oldest);
      }
    },
    bytes: () => total,
  };
}
