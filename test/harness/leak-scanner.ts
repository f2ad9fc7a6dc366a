/** Looks for secrets, and for parts of them, in whatever a service leaves behind. */
export interface LeakScanner {
  /** Looks for `secret` from now on: as it is, in hexadecimal digits and in base64, whatever stands before it. */
  watch(name: string, secret: string): void;
  /** The names of those of which `text` tells ten characters or more. */
  scan(text: string): string[];
}

/** Longer than what is shown of a secret to people, which is four characters at either end. */
const TELLING_LENGTH = 10;

/** In hexadecimal digits and base64 as many characters tell less. */
const TELLING_LENGTH_ENCODED = 20;

export function createLeakScanner(): LeakScanner {
  const pieces = new Map<string, string>();
  function add(name: string, text: string, length: number): void {
    for (let start = 0; start + length <= text.length; start++) pieces.set(text.slice(start, start + length), name);
  }
  return {
    watch(name, secret) {
      // A prefix is no secret, so the search begins behind it.
      const body = secret.slice(secret.lastIndexOf("_") + 1);
      add(name, body, TELLING_LENGTH);
      const bytes = Buffer.from(body);
      for (const hex of [bytes.toString("hex"), bytes.toString("hex").toUpperCase()])
        add(name, hex, TELLING_LENGTH_ENCODED);
      for (const shift of [0, 1, 2]) {
        // Base64 depends on where the text begins; what its neighbours enter into is cut off.
        const shifted = Buffer.concat([Buffer.alloc(shift), bytes]);
        const whole = shifted.subarray(0, shifted.length - (shifted.length % 3));
        for (const form of ["base64", "base64url"] as const)
          add(name, whole.toString(form).slice(4), TELLING_LENGTH_ENCODED);
      }
    },
    scan(text) {
      const found = new Set<string>();
      for (const length of [TELLING_LENGTH, TELLING_LENGTH_ENCODED]) {
        for (let start = 0; start + length <= text.length; start++) {
          const name = pieces.get(text.slice(start, start + length));
          if (name !== undefined) found.add(name);
        }
      }
      return [...found];
    },
  };
}
