/** Flags and length before each message (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). */
export const FRAME_HEAD_BYTES = 5;

/** A message as gRPC sends it, not compressed. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(FRAME_HEAD_BYTES + message.byteLength);
  framed[0] = 0;
  framed.writeUInt32BE(message.byteLength, 1);
  framed.set(message, FRAME_HEAD_BYTES);
  return framed;
}

/** The message in a body that is one such frame and nothing else; undefined for any other. */
export function unframe(body: Buffer): Buffer | undefined {
  if (body.byteLength < FRAME_HEAD_BYTES || body[0] !== 0) return undefined;
  const message = body.subarray(FRAME_HEAD_BYTES);
  return body.readUInt32BE(1) === message.byteLength ? message : undefined;
}
