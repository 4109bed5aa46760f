// Which of the 256 lanes a webhook belongs to. The answer is stored beside webhooks and deliveries:
// changing this function would send lanes and rows apart, so it must never change.

/** Number of lanes; the `lane` table holds one row for each. */
export const LANE_COUNT = 256;

/**
 * The lane of a webhook: FNV-1a (32 bits) over the 16 bytes of its id, folded to 8 bits.
 * The fold matters: the low byte of FNV-1a alone never sees what the high bits learnt.
 */
export function laneOf(webhookBytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < 16; i += 1) hash = Math.imul(hash ^ (webhookBytes[i] as number), 0x01000193);
  return (hash ^ (hash >>> 8) ^ (hash >>> 16) ^ (hash >>> 24)) & 0xff;
}
