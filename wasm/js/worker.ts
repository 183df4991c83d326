/** The worker of browsers: `new Worker(url, { type: "module" })`. */

import type { Request } from "./protocol.js";
import { serve } from "./serve.js";

const scope = globalThis as unknown as {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage: (message: unknown) => void;
};

const answer = serve({ post: (reply) => scope.postMessage(reply), elapsed: () => performance.now() });

scope.onmessage = ({ data }) => {
  answer(data).catch((error: unknown) => {
    // Outside of any promise, so that the page gets it as an error of the worker.
    setTimeout(() => {
      throw error;
    });
  });
};
