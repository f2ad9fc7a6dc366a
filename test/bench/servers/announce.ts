import type { AddressInfo, Server } from "node:net";

/** Opens a floor's port and tells the benchmark, which started it, where. */
export function announce(server: Pick<Server, "listen" | "address">): void {
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address() as AddressInfo;
    process.send?.({ url: `http://127.0.0.1:${port}` });
  });
}

/** As long as the answer that it stands in for: the benchmark says so in hexadecimal digits. */
export function constantAnswer(): Buffer {
  return Buffer.from(process.argv[2] ?? "", "hex");
}
