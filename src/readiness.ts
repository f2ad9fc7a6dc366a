/** Whether the service wants calls: its store takes changes, and it is not on its way out. */
export interface ReadinessSwitch {
  ready(): boolean;
  stopping(): boolean;
  /** Resolves when `ready` may have changed, or when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>;
  setWritable(writable: boolean): void;
  /** Whether this machine's clock can be gone by. */
  setClockSound(sound: boolean): void;
  drain(): void;
}

export function createReadiness(writable: boolean): ReadinessSwitch {
  let draining = false;
  let clockSound = true;
  let next = Promise.withResolvers<void>();

  function change(): void {
    next.resolve();
    next = Promise.withResolvers();
  }

  return {
    ready: () => writable && clockSound && !draining,
    stopping: () => draining,
    async changed(signal) {
      const aborted = Promise.withResolvers<void>();
      const abort = () => aborted.resolve();
      signal.addEventListener("abort", abort, { once: true });
      if (!signal.aborted) await Promise.race([next.promise, aborted.promise]);
      signal.removeEventListener("abort", abort);
    },
    setWritable(value) {
      if (value === writable) return;
      writable = value;
      change();
    },
    setClockSound(sound) {
      if (sound === clockSound) return;
      clockSound = sound;
      change();
    },
    drain() {
      draining = true;
      change();
    },
  };
}
