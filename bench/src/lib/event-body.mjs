// The event that every measurement sends: one believable `invoice.paid`, always the same length, stamped in place with
// its sequence number and the moment it was sent. Must never change length: stored bytes per event depend on it.

/** Bytes of one event in every scenario except the one with large bodies. */
export const EVENT_BYTES = 711;
export const EVENT_TYPE = "invoice.paid";

const SENT_AT_NAME = '"sentAt":';
const SEQUENCE_NAME = ',"sequence":';
/** A constant on top of the machine clock keeps the number at 13 digits, a point and three more. */
const SENT_AT_BASE_MS = 1_000_000_000_000;
const SENT_AT_DIGITS = 17;
/** Sequence numbers are printed as this plus the number, so that they all have ten digits. */
const SEQUENCE_BASE = 1_000_000_000;
const SEQUENCE_DIGITS = 10;
const ZERO = 48;
const POINT = 46;

const SENT_AT_NEEDLE = Buffer.from(SENT_AT_NAME);

/**
 * @typedef {object} EventTemplate
 * @property {Buffer} bytes the event as JSON, exactly as long as asked
 * @property {number} sentAtOffset where the 17 characters of `sentAt` start
 * @property {number} sequenceOffset where the ten digits of `sequence` start
 */

/**
 * One event of exactly `byteCount` bytes; what is missing is filled up in its last text field.
 * @param {number} byteCount at least 700
 * @returns {EventTemplate}
 */
export function eventTemplate(byteCount) {
  const missing = byteCount - Buffer.byteLength(eventJson(""));
  if (missing < 0)
    throw new RangeError(`an event has at least ${byteCount - missing} bytes, ${byteCount} were asked for`);
  const note = `Paid by transfer, thank you. Statement ${incompressibleText(missing)}`.slice(0, missing);
  const bytes = Buffer.from(eventJson(note));
  const sentAtOffset = bytes.indexOf(SENT_AT_NEEDLE) + SENT_AT_NAME.length;
  return { bytes, sentAtOffset, sequenceOffset: sentAtOffset + SENT_AT_DIGITS + SEQUENCE_NAME.length };
}

/** Always the same text, of the kind that a database's compression cannot shrink to nothing. @param {number} length */
function incompressibleText(length) {
  let state = 42;
  let text = "";
  while (text.length < length) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${state.toString(36)} `;
  }
  return text;
}

/** @param {string} note */
function eventJson(note) {
  return JSON.stringify({
    event: EVENT_TYPE,
    data: {
      object: {
        id: "inv_01J9ZK4Q8T",
        number: "INV-2026-004217",
        status: "paid",
        currency: "MYR",
        subtotal: 1738.44,
        taxTotal: 104.31,
        total: 1842.75,
        balance: 0,
        issuedAt: "2026-10-02T01:15:00Z",
        customer: { id: "cust_01J2", name: "Kedai Runcit Seri Murni", tier: "silver", tags: ["retail", "north"] },
        branch: { code: "KL-03", city: "Kuala Lumpur" },
        items: [
          { sku: "RICE-10KG", quantity: 24, unitPrice: 38.5, category: "grocery" },
          { sku: "OIL-5L", quantity: 18, unitPrice: 45.247, category: "grocery" },
        ],
        metadata: "@",
        note,
      },
    },
  }).replace('"@"', `{${SENT_AT_NAME}${SENT_AT_BASE_MS}.000${SEQUENCE_NAME}${SEQUENCE_BASE}}`);
}

/**
 * Writes moment and sequence number into a copy of the template.
 * @param {Buffer} bytes
 * @param {number} eventOffset where the event starts in `bytes`
 * @param {EventTemplate} template
 * @param {number} sentAtMs machine clock
 * @param {number} sequence
 */
export function stampEvent(bytes, eventOffset, template, sentAtMs, sequence) {
  const sentAtOffset = eventOffset + template.sentAtOffset;
  const wholeMs = Math.floor(sentAtMs);
  writeDigits(bytes, sentAtOffset, SENT_AT_BASE_MS + wholeMs, 13);
  bytes[sentAtOffset + 13] = POINT;
  writeDigits(bytes, sentAtOffset + 14, Math.floor((sentAtMs - wholeMs) * 1000), 3);
  writeDigits(bytes, eventOffset + template.sequenceOffset, SEQUENCE_BASE + sequence, SEQUENCE_DIGITS);
}

/** @param {Buffer} bytes @param {number} offset @param {number} value @param {number} count */
function writeDigits(bytes, offset, value, count) {
  let rest = value;
  for (let index = offset + count - 1; index >= offset; index -= 1) {
    const tenth = Math.floor(rest / 10);
    bytes[index] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

/**
 * Where the stamp of an event stands in a request, or -1.
 * @param {Buffer} bytes
 * @param {number} start
 */
export function findStamp(bytes, start) {
  const at = bytes.indexOf(SENT_AT_NEEDLE, start);
  return at < 0 ? -1 : at + SENT_AT_NAME.length;
}

/** @param {Buffer} bytes @param {number} stampOffset from `findStamp` @returns {number} machine clock, ms */
export function readSentAtMs(bytes, stampOffset) {
  const wholeMs = readDigits(bytes, stampOffset, 13) - SENT_AT_BASE_MS;
  return wholeMs + readDigits(bytes, stampOffset + 14, 3) / 1000;
}

/** @param {Buffer} bytes @param {number} stampOffset from `findStamp` */
export function readSequence(bytes, stampOffset) {
  return readDigits(bytes, stampOffset + SENT_AT_DIGITS + SEQUENCE_NAME.length, SEQUENCE_DIGITS) - SEQUENCE_BASE;
}

/** @param {Buffer} bytes @param {number} offset @param {number} count */
function readDigits(bytes, offset, count) {
  let value = 0;
  for (let index = offset; index < offset + count; index += 1) value = value * 10 + (bytes[index] ?? ZERO) - ZERO;
  return value;
}
