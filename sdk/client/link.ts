import type { ConnectError, Transport } from "@connectrpc/connect";

/** The way to the service: how calls travel here, in Node or in a browser. */
export interface Link {
  readonly transport: Transport;
  /** Whether a failure means that there was no connection or that it broke, as opposed to an answer. */
  isBroken(error: ConnectError): boolean;
  /** Whether it broke before the service began with the call, which a connection that closes in good order does to some. */
  isUnbegun(error: ConnectError): boolean;
  /** Ends the connections, and with them whatever is under way. */
  close(): void;
}
