// Looking again and again: a server that is away is waited for, one that refuses is not, and a stop ends it at once.
import { ConnectionFailed, PosthornError } from "@posthorn/client";
import { describe, expect, test } from "vitest";
import { stream } from "../../src/live/stream.ts";

type Look = () => Promise<number[]>;

/** Runs these looks, then stops. */
async function run(looks: Look[]): Promise<{ given: number[]; notes: string[]; far: boolean[] }> {
  const controller = new AbortController();
  const notes: string[] = [];
  const far: boolean[] = [];
  const given: number[] = [];
  let begunCount = 0;
  const look = (isFar: boolean): Promise<number[]> => {
    far.push(isFar);
    const next = looks.shift();
    if (looks.length === 0) queueMicrotask(() => controller.abort());
    return next?.() ?? Promise.resolve([]);
  };
  for await (const item of stream({
    look,
    signal: controller.signal,
    note: (line) => notes.push(line),
    begun: () => (begunCount += 1),
    everyMs: 1,
  })) {
    given.push(item);
  }
  expect(begunCount).toBe(1);
  return { given, notes, far };
}

const away: Look = () =>
  Promise.reject(new ConnectionFailed("It cannot be reached.", { reason: "ECONNREFUSED", nothingSent: true }));
const gives =
  (...items: number[]): Look =>
  async () =>
    items;
const refuses: Look = () => Promise.reject(new PosthornError({ code: "FORBIDDEN", message: "No.", status: 403 }));

describe("a stream", () => {
  test("says once that the server is away, looks far back when it returns, and says so", async () => {
    const { given, notes, far } = await run([gives(1), away, away, gives(2, 3), gives()]);
    expect(given).toEqual([1, 2, 3]);
    expect(notes).toEqual(["It cannot be reached. Trying again…", "Connected again; nothing was missed."]);
    expect(far.slice(1, 5)).toEqual([false, true, true, false]);
  });

  test("ends at the first look when there is no server", async () => {
    await expect(run([away, gives(1)])).rejects.toMatchObject({ code: "CONNECTION_FAILED" });
  });

  test("ends when the server refuses for good", async () => {
    await expect(run([gives(1), refuses, gives(2)])).rejects.toMatchObject({ code: "FORBIDDEN" });
  });

  test("goes far back now and then", async () => {
    const { far } = await run(Array.from({ length: 18 }, () => gives()));
    expect(far.flatMap((isFar, index) => (isFar ? [index] : []))).toEqual([0, 8, 16]);
  });
});
