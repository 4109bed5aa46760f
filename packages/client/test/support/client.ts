// A client for tests: real requests, but its pauses end at once and are written down.
import { Posthorn, type PosthornOptions } from "@posthorn/client";
import { TEST_API_KEY } from "../../../server/test/support/node.ts";

export interface PatientClient {
  readonly posthorn: Posthorn;
  /** The pauses it made, in milliseconds. */
  readonly pausesMs: number[];
}

export function patientClient(url: string, options: Partial<PosthornOptions> = {}): PatientClient {
  const pausesMs: number[] = [];
  let atMs = 0;
  const posthorn = new Posthorn({
    url,
    apiKey: TEST_API_KEY,
    ...options,
    runtime: {
      monotonicMs: () => atMs,
      random: () => 0.5,
      sleep: async (delayMs) => {
        pausesMs.push(delayMs);
        atMs += delayMs;
      },
      ...options.runtime,
    },
  });
  return { posthorn, pausesMs };
}
