/** What of a WebSocket the package uses; browsers' and `ws`'s both have it. */
export type Socket = {
  binaryType: string;
  addEventListener(type: "open" | "error", listener: () => void): void;
  addEventListener(type: "message", listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: "close",
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
  close(): void;
};

export type OpenSocket = (url: string) => Socket;
