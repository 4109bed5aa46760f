// The receiver behind every webhook of a measurement: a process of its own that notes when each request arrived, counts
// every event by its sequence number and checks a share of the signatures. Must never answer anything but 204 quickly.
//
// Started with an IPC channel by run.mjs. Messages in: {type:"reset", secret}, {type:"count"}, {type:"report", …}.
import { createHmac } from "node:crypto";
import { createServer } from "node:net";
import { machineClockMs } from "./lib/clock.mjs";
import { findStamp, readSentAtMs, readSequence } from "./lib/event-body.mjs";
import { frameMessage } from "./lib/http-messages.mjs";
import { percentiles, Samples } from "./lib/samples.mjs";

const NO_CONTENT = Buffer.from("HTTP/1.1 204 No Content\r\n\r\n");
const SIGNATURE = /\r\nx-signature: *sha256=([0-9a-f]{64})/i;
/** Checking costs as much as receiving; one in so many shows that requests are really signed. */
const SIGNATURE_CHECK_EVERY = 64;
const NOTHING = Buffer.alloc(0);

let log = newLog("");

/** @param {string} secret signing secret that the requests must be signed with */
function newLog(secret) {
  return {
    secret,
    arrivedAtMs: new Samples(),
    sentAtMs: new Samples(),
    countBySequence: new Uint8Array(1 << 20),
    unstampedCount: 0,
    signatureCheckedCount: 0,
    signatureWrongCount: 0,
    /** @type {Record<string, number>} requests by path, so that a webhook that must not match is seen */
    countByPath: {},
    /** @type {string | null} */
    protocolError: null,
  };
}

/** @param {import("./lib/http-messages.mjs").Frame} frame @param {Buffer} bytes */
function receive(frame, bytes) {
  const arrivedAtMs = machineClockMs();
  const path = frame.head.slice(frame.head.indexOf(" ") + 1, frame.head.indexOf(" HTTP/"));
  log.countByPath[path] = (log.countByPath[path] ?? 0) + 1;
  const stamp = findStamp(bytes, frame.bodyStart);
  if (stamp < 0 || stamp > frame.end) {
    log.unstampedCount += 1;
    return;
  }
  log.arrivedAtMs.push(arrivedAtMs);
  log.sentAtMs.push(readSentAtMs(bytes, stamp));
  countSequence(readSequence(bytes, stamp));
  if (log.arrivedAtMs.count % SIGNATURE_CHECK_EVERY === 1) checkSignature(frame, bytes);
}

/** @param {number} sequence */
function countSequence(sequence) {
  if (sequence >= log.countBySequence.length) {
    const grown = new Uint8Array(Math.max(log.countBySequence.length * 2, sequence + 1));
    grown.set(log.countBySequence);
    log.countBySequence = grown;
  }
  log.countBySequence[sequence] = Math.min(255, (log.countBySequence[sequence] ?? 0) + 1);
}

/** @param {import("./lib/http-messages.mjs").Frame} frame @param {Buffer} bytes */
function checkSignature(frame, bytes) {
  const given = SIGNATURE.exec(frame.head)?.[1];
  const body = bytes.subarray(frame.bodyStart, frame.end);
  log.signatureCheckedCount += 1;
  if (given !== createHmac("sha256", log.secret).update(body).digest("hex")) log.signatureWrongCount += 1;
}

/**
 * @param {object} question
 * @param {number} question.fromMs machine clock
 * @param {number} question.toMs
 * @param {{ first: number, step: number, count: number }[]} question.ranges sequence numbers that were acknowledged
 */
function report({ fromMs, toMs, ranges }) {
  const latencies = new Samples();
  let arrivedInWindowCount = 0;
  let lastArrivedAtMs = 0;
  for (let index = 0; index < log.arrivedAtMs.count; index += 1) {
    const arrivedAtMs = log.arrivedAtMs.at(index);
    const sentAtMs = log.sentAtMs.at(index);
    if (arrivedAtMs >= fromMs && arrivedAtMs < toMs) arrivedInWindowCount += 1;
    if (sentAtMs >= fromMs && sentAtMs < toMs) latencies.push(arrivedAtMs - sentAtMs);
    lastArrivedAtMs = Math.max(lastArrivedAtMs, arrivedAtMs);
  }
  let missingCount = 0;
  let repeatedCount = 0;
  for (const { first, step, count } of ranges) {
    for (let index = 0; index < count; index += 1) {
      const seen = log.countBySequence[first + index * step] ?? 0;
      if (seen === 0) missingCount += 1;
      if (seen > 1) repeatedCount += 1;
    }
  }
  return {
    receivedCount: log.arrivedAtMs.count,
    arrivedInWindowCount,
    lastArrivedAtMs,
    latencyMs: percentiles(latencies),
    missingCount,
    repeatedCount,
    unstampedCount: log.unstampedCount,
    signatureCheckedCount: log.signatureCheckedCount,
    signatureWrongCount: log.signatureWrongCount,
    countByPath: log.countByPath,
    protocolError: log.protocolError,
  };
}

const server = createServer((socket) => {
  let pending = NOTHING;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk) => {
    let bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    let start = 0;
    try {
      for (let frame = frameMessage(bytes, start); frame !== null; frame = frameMessage(bytes, start)) {
        receive(frame, bytes);
        socket.write(NO_CONTENT);
        start = frame.end;
        if (start === bytes.length) break;
      }
    } catch (error) {
      log.protocolError ??= String(error);
      socket.destroy();
      return;
    }
    if (start > 0) bytes = start === bytes.length ? NOTHING : bytes.subarray(start);
    pending = bytes;
  });
});

process.on("message", (/** @type {any} */ message) => {
  if (message.type === "reset") {
    log = newLog(message.secret);
    process.send?.({ type: "reset" });
  } else if (message.type === "count") {
    process.send?.({ type: "count", receivedCount: log.arrivedAtMs.count + log.unstampedCount });
  } else if (message.type === "report") {
    process.send?.({ type: "report", report: report(message) });
  }
});
process.on("disconnect", () => process.exit(0));
server.listen(0, "127.0.0.1", () => {
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  process.send?.({ type: "ready", port: address.port });
});
