/** What is known already, or will be. Each turn of the event loop that a call on the hot path waits for costs it more than its work. */
export type Soon<T> = T | Promise<T>;

/** `next` on the value: at once if it is there. What `next` throws, or a promise was rejected with, comes out as it is. */
export function soonThen<T, U>(soon: Soon<T>, next: (value: T) => Soon<U>): Soon<U> {
  return soon instanceof Promise ? soon.then(next) : next(soon);
}
