/** The least that Node can do for a Connect call over HTTP/1.1: read the request, whatever it says, and send the same answer. */
import { createServer } from "node:http";
import { announce, constantAnswer } from "../servers/announce.ts";

const message = constantAnswer();
announce(
  createServer({ noDelay: true }, (req, res) => {
    req.on("data", () => {});
    req.on("end", () => {
      res.writeHead(200, { "content-type": "application/proto", "content-length": message.length });
      res.end(message);
    });
  }),
);
