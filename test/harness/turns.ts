/** What `promise` gives if it gives it without waiting for anything from outside: within a few turns of the event loop. */
export async function atOnce<T>(promise: Promise<T>): Promise<T | "later"> {
  let turns = 3;
  const later = new Promise<"later">((resolve) => {
    const turn = () => (turns-- > 0 ? setImmediate(turn) : resolve("later"));
    turn();
  });
  return await Promise.race([promise, later]);
}
