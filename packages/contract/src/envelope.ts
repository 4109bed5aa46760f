// The envelope that a receiver gets by default, byte for byte as published: id, event, timestamp, livemode,
// api_version, data, context. Must never parse or re-serialise `data` and `context`: they are copied as they came.

/** What the envelope says about an event besides its two payload members. */
export interface EnvelopeHead {
  /** The sender's own id, or `evt_…`. */
  readonly id: string;
  /** The event type, `invoice.paid`. */
  readonly event: string;
  /** When it happened: ISO 8601, UTC. */
  readonly timestamp: string;
  readonly livemode: boolean;
}

/** The text before the bytes of `data`. */
export function envelopeBeforeData(head: EnvelopeHead): string {
  return `{"id":"${head.id}","event":"${head.event}","timestamp":"${head.timestamp}","livemode":${head.livemode},"api_version":"v1","data":`;
}

/** The text between the bytes of `data` and those of `context`. */
export const ENVELOPE_BEFORE_CONTEXT = ',"context":';
/** The text after the last payload bytes. */
export const ENVELOPE_END = "}";

const UTC_LENGTH = "2026-11-23T08:00:00.000Z".length;
const ISO_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(\.\d{1,9})?(Z|z|[+-]\d{2}:\d{2})$/;

/**
 * Brings a sender's timestamp to what receivers get: UTC text is kept as written, other offsets are converted.
 * @returns null when it is not an ISO 8601 (RFC 3339) time with an offset, or names a day that does not exist
 */
export function normaliseTimestamp(text: string): string | null {
  const match = ISO_TIME.exec(text);
  if (match === null) return null;
  const milliseconds = Date.parse(text);
  if (Number.isNaN(milliseconds)) return null;
  const days = new Date(Date.UTC(Number(match[1]), Number(match[2]), 0)).getUTCDate();
  if (Number(match[3]) > days || Number(match[4]) > 23) return null;
  if (match[8] === "Z") return text;
  const utc = new Date(milliseconds).toISOString();
  // Converted, the first and the last hours of the four-digit years are in years of six digits.
  return utc.length === UTC_LENGTH ? utc : null;
}
