/** A number from 0 up to 1, for what needs to be spread and not to be secret. */
export const random: () => number = Math.random;
