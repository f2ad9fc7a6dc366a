/** The least that @grpc/grpc-js can do for a unary call: the request's bytes left as they are, and the same answer each time. */
import { type MethodDefinition, Server, ServerCredentials } from "@grpc/grpc-js";
import { constantAnswer, tell } from "../servers/announce.ts";

const message = constantAnswer();
const verify: MethodDefinition<Buffer, Buffer> = {
  path: "/clavis.v1.VerifyService/Verify",
  requestStream: false,
  responseStream: false,
  requestSerialize: (bytes) => bytes,
  requestDeserialize: (bytes) => bytes,
  responseSerialize: (bytes) => bytes,
  responseDeserialize: (bytes) => bytes,
};

const server = new Server();
server.addService(
  { verify },
  { verify: (_: unknown, answer: (error: null, message: Buffer) => void) => answer(null, message) },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  tell({ url: `http://127.0.0.1:${port}` });
});
