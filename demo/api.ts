import type { AddressInfo } from "node:net";
import type { Clavis } from "@clavis/sdk";
import { requireApiKey, requirePermission } from "@clavis/sdk/express";
import express from "express";

/** A small API of some company, as its developers would write it. */
export interface Api extends AsyncDisposable {
  readonly url: string;
}

export async function openApi({ clavis, keyspaceId }: { clavis: Clavis; keyspaceId: string }): Promise<Api> {
  const app = express();
  app.use(requireApiKey({ clavis, keyspaceId }));
  app.get("/documents", requirePermission("documents.read"), (req, res) => {
    res.json({ documents: ["contract.pdf"], owner: req.apiKey?.ownerId });
  });
  app.post("/documents", requirePermission("documents.write"), (_req, res) => {
    res.status(201).json({ created: true });
  });

  const server = app.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
