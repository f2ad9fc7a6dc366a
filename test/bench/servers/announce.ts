import type { AddressInfo, Server } from "node:net";

/** Tells the benchmark, which started this process. It ends with the benchmark, however that ends. */
export function tell(message: unknown): void {
  process.once("disconnect", () => process.exit());
  process.send?.(message);
}

/** Opens a floor's port and tells where. */
export function announce(server: Pick<Server, "listen" | "address">): void {
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    tell({ url: `http://127.0.0.1:${port}` });
  });
}

/** As long as the answer that it stands in for: the benchmark says so in hexadecimal digits. */
export function constantAnswer(): Buffer {
  return Buffer.from(process.argv[2] ?? "", "hex");
}
