import { join } from "node:path";
import { promisify } from "node:util";
import {
  type CallOptions,
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from "@grpc/grpc-js";
import { loadSync, type MessageTypeDefinition } from "@grpc/proto-loader";

const root = join(import.meta.dirname, "../..");

/** The contract as another library reads it from its text, at run time. Nothing here is generated. */
const definition = loadSync(
  [
    ...["key", "keyspace", "verify", "self", "tenant", "audit"].map((name) => `clavis/v1/${name}_service.proto`),
    "google/rpc/status.proto",
    "google/rpc/error_details.proto",
    "grpc/health/v1/health.proto",
    "grpc/reflection/v1/reflection.proto",
  ],
  {
    includeDirs: [join(root, "proto"), join(root, ".third-party-proto")],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  },
);

/** Messages as this library gives them: names as in the contract, enums and 64-bit numbers as text. */
// biome-ignore lint/suspicious/noExplicitAny: nothing is known of them before run time, which is the point
export type LooseMessage = Record<string, any>;

export interface GrpcJsClient extends Disposable {
  /** Calls a unary method. Rejects with a `ServiceError`. */
  call(method: string, request: LooseMessage, options?: CallOptions): Promise<LooseMessage>;
  /** Calls a method that answers with a stream. */
  stream(method: string, request: LooseMessage, options?: CallOptions): ClientReadableStream<LooseMessage>;
  /** Calls a method that answers each message of a stream with one. */
  duplex(method: string, options?: CallOptions): ClientDuplexStream<LooseMessage, LooseMessage>;
  /** What came in the headers of the latest answer. */
  readonly lastHeaders: Metadata;
  readonly client: Client;
}

export interface GrpcJsOptions {
  /** `host:port`. */
  readonly address: string;
  /** Such as `clavis.v1.KeyService`. */
  readonly service: string;
  readonly token?: string;
  readonly channel?: ChannelOptions;
}

/** A client of one service made at run time by @grpc/grpc-js. */
export function openGrpcJs({ address, service, token, channel = {} }: GrpcJsOptions): GrpcJsClient {
  const path = service.split(".");
  const found = path.reduce<unknown>((at, name) => (at as LooseMessage)[name], loadPackageDefinition(definition));
  const client = new (found as ServiceClientConstructor)(address, credentials.createInsecure(), channel);
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  let lastHeaders = new Metadata();

  return {
    client,
    get lastHeaders() {
      return lastHeaders;
    },
    call(method, request, options = {}) {
      const bound = (client as unknown as LooseMessage)[method].bind(client);
      const invoke = (done: (error: ServiceError | null, answer?: LooseMessage) => void) => {
        const call = bound(request, metadata, options, done);
        call.on("metadata", (headers: Metadata) => {
          lastHeaders = headers;
        });
      };
      return promisify(invoke)() as Promise<LooseMessage>;
    },
    stream(method, request, options = {}) {
      return (client as unknown as LooseMessage)[method](request, metadata, options);
    },
    duplex(method, options = {}) {
      return (client as unknown as LooseMessage)[method](metadata, options);
    },
    [Symbol.dispose]: () => client.close(),
  };
}

/** An error's `google.rpc.Status`, its details decoded and named by their types. */
export function statusOf(error: ServiceError): {
  code: number;
  message: string;
  details: Record<string, LooseMessage>;
} {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(bytes)) throw new Error("the error has no details");
  const status = decode("google.rpc.Status", bytes);
  const details = status.details.map(({ type_url, value }: LooseMessage) => {
    const type = type_url.slice(type_url.lastIndexOf("/") + 1);
    return [type, decode(type, value)];
  });
  return { code: status.code, message: status.message, details: Object.fromEntries(details) };
}

function decode(type: string, bytes: Buffer): LooseMessage {
  return (definition[type] as MessageTypeDefinition<object, LooseMessage>).deserialize(bytes);
}
