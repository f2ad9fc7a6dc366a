import { SECOND_MS } from "../time.ts";

/** PEM texts. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  /** Clients must show a certificate of this authority. */
  readonly clientCa: string | undefined;
}

const KIB = 1024;

const HEADER_BYTES_MAX = 16 * KIB;
export const HEADER_PAIRS_MAX = 64;
const STREAMS_MAX = 256;
export const HEADERS_TIMEOUT_MS = 10 * SECOND_MS;
/** How long a request may take to arrive, over either protocol. */
export const REQUEST_TIMEOUT_MS = 60 * SECOND_MS;

/** An idle HTTP/1.1 connection is kept longer than load balancers keep theirs, or they send into a closing one. */
const KEEP_ALIVE_TIMEOUT_MS = 75 * SECOND_MS;

/** Resets and cancellations that one HTTP/2 connection may make at once, and per second after that (CVE-2023-44487). */
const RESETS_BURST = 1000;
const RESETS_PER_SECOND = 500;

/** How often connections are looked at for one that takes too long. */
const CHECK_INTERVAL_MS = SECOND_MS;

export function http1Settings(headersTimeout: number) {
  return {
    maxHeaderSize: HEADER_BYTES_MAX,
    headersTimeout,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: Math.min(CHECK_INTERVAL_MS, headersTimeout),
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    noDelay: true,
  };
}

export const http2Settings = {
  maxHeaderListPairs: HEADER_PAIRS_MAX,
  settings: { maxConcurrentStreams: STREAMS_MAX, maxHeaderListSize: HEADER_BYTES_MAX },
  streamResetBurst: RESETS_BURST,
  streamResetRate: RESETS_PER_SECOND,
  unknownProtocolTimeout: HEADERS_TIMEOUT_MS,
};

export function tlsSettings({ cert, key, clientCa }: TlsOptions, headersTimeoutMs: number) {
  const mutual = clientCa === undefined ? {} : { ca: clientCa, requestCert: true, rejectUnauthorized: true };
  return { cert, key, allowHTTP1: true, ...http1Settings(headersTimeoutMs), ...mutual };
}
