/** The worker of Node: `new Worker(url)` of `node:worker_threads`. */

import { parentPort } from "node:worker_threads";
import type { Request } from "./protocol.js";
import { serve } from "./serve.js";

const port = parentPort;
if (port === null) throw new Error("worker_node.js runs in a worker");

const answer = serve({ post: (reply) => port.postMessage(reply), elapsed: () => performance.now() });

port.on("message", (request: Request) => {
  // A rejection that nobody handles ends the worker, and whoever started it is told.
  void answer(request);
});
