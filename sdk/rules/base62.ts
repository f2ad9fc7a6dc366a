/** In ascending order of value, which is also that of ASCII: equal widths sort as text as they do as numbers. */
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** Bytes from here on are rejected: 256 is no multiple of 62, and keeping them would favour the first eight digits. */
const REJECT_FROM = 256 - (256 % DIGITS.length);

/**
 * How often `sampleBase62` asks for bytes, first for all and then in place of rejected ones. One byte in 32 is
 * rejected, so a sound source leaves one of 43 characters unfilled after 16 rounds once in 2^74 calls. A broken one
 * must not hold the caller for ever.
 */
const SAMPLE_ROUNDS_MAX = 16;

/** Fills `n` bytes with randomness fit for secrets, such as `(n) => crypto.getRandomValues(new Uint8Array(n))`. */
export type RandomBytes = (n: number) => Uint8Array;

/**
 * `value` in base62, most significant digit first, padded with zeros to `width` characters.
 *
 * @throws RangeError if `value` is not a whole number that fits
 */
export function encodeBase62(value: number, width: number): string {
  if (!Number.isSafeInteger(value) || value < 0 || value >= DIGITS.length ** width) {
    throw new RangeError(`${value} does not fit into ${width} base62 digits`);
  }
  let text = "";
  for (let rest = value; text.length < width; rest = Math.floor(rest / DIGITS.length)) {
    text = DIGITS.charAt(rest % DIGITS.length) + text;
  }
  return text;
}

/**
 * `length` characters, each of the 62 equally likely, by rejection sampling.
 *
 * @throws Error if the source gives too few usable bytes, which a sound one does not
 */
export function sampleBase62(length: number, randomBytes: RandomBytes): string {
  let text = "";
  for (let round = 0; round < SAMPLE_ROUNDS_MAX && text.length < length; round++) {
    const wanted = length - text.length;
    for (const byte of randomBytes(wanted).subarray(0, wanted)) {
      if (byte < REJECT_FROM) text += DIGITS.charAt(byte % DIGITS.length);
    }
  }
  if (text.length < length) throw new Error("the source of randomness gave too few usable bytes");
  return text;
}
