// The other side of offload.ts: what the worker thread can do. Pure functions over bytes; it holds no state, and keys
// that it is given live no longer than their message.
import { createHash, createHmac } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { scanBatch, scanNdjson } from "../capture/scan/scan-batch.ts";
import { scanEvent } from "../capture/scan/scan-event.ts";

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const TASKS: Record<string, (...parameters: never[]) => unknown> = {
  scanEvent: (bytes: Uint8Array) => scanEvent(bufferOf(bytes)),
  scanBatch: (bytes: Uint8Array) => scanBatch(bufferOf(bytes)),
  scanNdjson: (bytes: Uint8Array) => scanNdjson(bufferOf(bytes)),
  seal: (body: Uint8Array, plainKey: Uint8Array, standardKey: Uint8Array, standardPrefix: string) => ({
    plain: createHmac("sha256", plainKey).update(body).digest("hex"),
    standard: createHmac("sha256", standardKey).update(standardPrefix).update(body).digest("base64"),
    hash: createHash("sha256").update(body).digest(),
  }),
};

parentPort?.on("message", (message: { id: number; task: string; parameters: never[] }) => {
  try {
    const task = TASKS[message.task];
    if (task === undefined) throw new Error(`no task ${message.task}`);
    parentPort?.postMessage({ id: message.id, value: task(...message.parameters) });
  } catch (error) {
    parentPort?.postMessage({ id: message.id, error: String(error) });
  }
});
