/** Typed events: handlers called in the order in which they were added, each on its own. */

export type Emitter<Events extends object> = {
  /** Calls `handler` at each such event until the returned function is called. */
  readonly on: <Name extends keyof Events>(name: Name, handler: (event: Events[Name]) => void) => () => void;
  readonly emit: <Name extends keyof Events>(name: Name, event: Events[Name]) => void;
  /** Removes all handlers. */
  readonly clear: () => void;
};

/**
 * A handler that throws stops neither the others nor who emits: its error is thrown again where nobody but the
 * environment catches it, as `EventTarget` does.
 */
export function createEmitter<Events extends object>(): Emitter<Events> {
  type Handlers = { [Name in keyof Events]?: Set<(event: Events[Name]) => void> };
  let handlers: Handlers = {};
  return {
    on(name, handler) {
      // A wrapper of its own, so that a handler added twice is there twice and is removed once.
      const own = (event: Events[typeof name]) => handler(event);
      const set = (handlers[name] ??= new Set());
      set.add(own);
      return () => void set.delete(own);
    },
    emit(name, event) {
      for (const handler of [...(handlers[name] ?? [])]) {
        try {
          handler(event);
        } catch (error) {
          queueMicrotask(() => {
            throw error;
          });
        }
      }
    },
    clear() {
      handlers = {};
    },
  };
}
