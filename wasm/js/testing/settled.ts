/** Resolves when everything that needs no timer and no network has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
