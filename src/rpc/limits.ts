const KIB = 1024;
const MIB = 1024 * KIB;

/** Bytes of the largest Verify: one secret, 64 permissions and a query. */
export const VERIFY_BYTES_MAX = 32 * KIB;

/** Bytes of the largest BatchVerify. Small items, 256 of them, fit many times; 256 of the largest do not. */
export const BATCH_BYTES_MAX = 4 * MIB;

/** A deadline beyond this is no deadline. */
export const TIMEOUT_MS_MAX = 130_000;
