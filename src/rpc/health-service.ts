import { Code, ConnectError, type ConnectRouter } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../gen/grpc/health/v1/health_pb.ts";

/** Whether the service takes calls, and a way to hear of changes. */
export interface Readiness {
  ready(): boolean;
  /** Whether the service is on its way out, and will not be ready again. */
  stopping(): boolean;
  /** Resolves when `ready` may have changed, or when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void>;
}

/** Answers `grpc.health.v1.Health` for the process as a whole (the empty name) and for each of `services`, which share its fate. */
export function routeHealth(router: ConnectRouter, readiness: Readiness, services: readonly string[]): void {
  const known = new Set(["", ...services]);
  const status = () => (readiness.ready() ? Status.SERVING : Status.NOT_SERVING);

  router.service(Health, {
    check({ service }) {
      if (!known.has(service)) throw new ConnectError("unknown service", Code.NotFound);
      return { status: status() };
    },
    list() {
      return { statuses: Object.fromEntries([...known].map((service) => [service, { status: status() }])) };
    },
    async *watch({ service }, { signal }) {
      let last: Status | undefined;
      while (!signal.aborted) {
        const changed = readiness.changed(signal);
        // Unknown services stay so, but the protocol keeps their watches open.
        const now = known.has(service) ? status() : Status.SERVICE_UNKNOWN;
        if (now !== last) yield { status: now };
        last = now;
        // All has been said; a watch that stayed would only hold up the end.
        if (readiness.stopping()) throw new ConnectError("the service is stopping", Code.Unavailable);
        await changed;
      }
      // The caller has gone or its deadline has passed. To end as if all were well would tell it to ask again at once.
      throw signal.reason;
    },
  });
}
