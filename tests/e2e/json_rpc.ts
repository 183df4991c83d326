/** JSON-RPC as bytes, for what a library would not send or would not show. */

/** A result, or an error as it was sent. */
export type Outcome =
  | { readonly result: unknown; readonly error?: undefined }
  | { readonly result?: undefined; readonly error: { readonly code: number; readonly message: string; readonly data?: unknown } };

/** How long an answer may take, whatever is asked. */
const ANSWER_MS = 30_000;

/** Posts this text and gives the answer's status and text. */
export async function post(url: string, body: string | Uint8Array<ArrayBuffer>): Promise<{ status: number; text: string }> {
  const headers = { "content-type": "application/json" };
  const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(ANSWER_MS) });
  return { status: response.status, text: await response.text() };
}

/** The text of one request. */
export function requestText(method: string, params: unknown, id: unknown = 1): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
}

/** Calls a method. */
export async function ask(url: string, method: string, params: unknown): Promise<Outcome> {
  const { text } = await post(url, requestText(method, params));
  return JSON.parse(text) as Outcome;
}
