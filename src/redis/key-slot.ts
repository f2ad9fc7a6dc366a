/** Slots of a Redis Cluster. */
const SLOTS = 16_384;

/** Of each byte, what CRC-16/XMODEM makes of it. */
const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/**
 * The slot that a name is in, by Redis Cluster's specification: CRC-16 of what stands between the first `{` and the next `}`, or of
 * all of it.
 *
 * @param name of ASCII alone
 */
export function slotOf(name: string): number {
  const open = name.indexOf("{");
  const close = open < 0 ? -1 : name.indexOf("}", open + 1);
  const [start, end] = close > open + 1 ? [open + 1, close] : [0, name.length];
  let crc = 0;
  for (let index = start; index < end; index++) {
    crc = ((crc << 8) & 0xffff) ^ (table[((crc >> 8) ^ name.charCodeAt(index)) & 0xff] ?? 0);
  }
  return crc % SLOTS;
}
