// What was found in a slice of a body, as if the whole body had been scanned. Pure.
import type { ScanRefusal } from "./refusals.ts";
import type { ScannedEvent } from "./scan-event.ts";

/** Offsets of a slice, moved to where the slice lies in its body. */
export function shifted(scanned: ScannedEvent | ScanRefusal, by: number): ScannedEvent | ScanRefusal {
  if (by === 0) return scanned;
  if (scanned.kind === "refused") {
    const details = scanned.details.map((detail) => ({ ...detail, position: detail.position + by }));
    return { ...scanned, position: scanned.position + by, details };
  }
  const context =
    scanned.contextStart < 0 ? {} : { contextStart: scanned.contextStart + by, contextEnd: scanned.contextEnd + by };
  return { ...scanned, dataStart: scanned.dataStart + by, dataEnd: scanned.dataEnd + by, ...context };
}
