/** The least that Node can do for a gRPC call: read the request, whatever it says, and send the same answer. */
import { createServer } from "node:http2";
import { announce, constantAnswer } from "../servers/announce.ts";

const message = constantAnswer();
const framed = Buffer.alloc(5 + message.length);
framed.writeUInt32BE(message.length, 1);
framed.set(message, 5);

const server = createServer();
server.on("stream", (stream) => {
  stream.on("data", () => {});
  stream.on("error", () => {});
  stream.on("end", () => {
    stream.respond({ ":status": 200, "content-type": "application/grpc+proto" }, { waitForTrailers: true });
    stream.once("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(framed);
  });
});
announce(server);
