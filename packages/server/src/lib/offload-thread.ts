// The other side of offload.ts: what the worker thread can do. Pure functions over bytes; it holds no state, and keys
// that it is given live no longer than their message.
import { parentPort } from "node:worker_threads";
import { scanBatch, scanNdjson } from "../capture/scan/scan-batch.ts";
import { scanEvent } from "../capture/scan/scan-event.ts";
import { renderBatchJob, type RenderJob, renderJob } from "../deliver/render.ts";
import type { DefinitionsSource } from "../expressions/definitions.ts";
import type { Shape } from "../deliver/shape.ts";
import { type SealPart, sealBody } from "../deliver/seal.ts";

const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const TASKS: Record<string, (...parameters: never[]) => unknown> = {
  scanEvent: (bytes: Uint8Array) => scanEvent(bufferOf(bytes)),
  scanBatch: (bytes: Uint8Array) => scanBatch(bufferOf(bytes)),
  scanNdjson: (bytes: Uint8Array) => scanNdjson(bufferOf(bytes)),
  seal: (body: Uint8Array, parts: readonly SealPart[]) => sealBody(body, parts),
  renderBatch: (body: Uint8Array, shape: Shape, definitions: DefinitionsSource) =>
    renderBatchJob(body, shape, definitions),
  render: (data: Uint8Array, job: RenderJob) => renderJob(data, job),
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
