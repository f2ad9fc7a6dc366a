/** Calls `act` at once, but for all that is asked within `intervalMs` of a call only once more, at its end. */
export function coalesced(act: () => void, intervalMs: number): () => void {
  let resting = false;
  let again = false;

  function call(): void {
    if (resting) {
      again = true;
      return;
    }
    resting = true;
    act();
    setTimeout(() => {
      resting = false;
      if (!again) return;
      again = false;
      call();
    }, intervalMs).unref();
  }
  return call;
}
